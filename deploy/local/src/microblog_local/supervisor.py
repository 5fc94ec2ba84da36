"""Starts everything in order, restarts what dies, stops everything in order."""

import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from engines.kafka import Kafka
from engines.kafka_jars import resolve_jars
from engines.postgres import Postgres
from engines.process import Engine, EngineError, die_with_parent, last_words, port_taken
from engines.search import Noida

from microblog_local.plan import Plan, PlanError, Process, kept_secrets

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0
_STEADY: Final = 30.0
PATIENCE_AT_END: Final = 37.0
"""Seconds that a process has for its end: more than any takes (`common.serving.LONGEST_END`, which would cost the runner megabytes to import)."""

_ENDING: Final = ("gateway", "worker", "api")
"""The gateway first, so that nobody is half served, then workers, which call APIs, then APIs."""

_ENGINES_END: Final = 20.0
LONGEST_STOP: Final = len(_ENDING) * PATIENCE_AT_END + _ENGINES_END
"""Seconds after which the whole stack has ended, whatever hangs."""
_WRONG_SETTINGS: Final = 2
"""Exit code of a process that refuses its settings (`common.settings`): starting it again would not help."""
_FRUGAL: Final = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""Has glibc give memory back after bursts, which thirteen processes on one machine would otherwise keep thirteen times."""

Say = Callable[[str], None]


@dataclass
class _Child:
    process: Process
    pid: int | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    status: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """One running stack."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self._plan = plan
        self._say = say
        self._stopping = asyncio.Event()
        self._children: dict[str, _Child] = {}
        self._engines: list[Engine] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._zygote: asyncio.subprocess.Process | None = None
        self._zygote_ready = asyncio.Event()
        self._ready = False
        self._refused: list[_Child] = []
        self.status_file = plan.data / "status.json"

    def stop(self) -> None:
        """Ask for an orderly end; again is harmless."""
        self._stopping.set()

    async def run(self, when_ready: Callable[[], Any]) -> None:
        """Run the stack until `stop`; calls `when_ready` in a thread once everything serves. Raises `PlanError`, `EngineError`."""
        starting = asyncio.create_task(self._start())
        waiting = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                after = asyncio.create_task(asyncio.to_thread(when_ready))
                after.add_done_callback(lambda task: task.cancelled() or task.exception())
            await waiting
        finally:
            if not starting.done():
                starting.cancel()
                with suppress(asyncio.CancelledError, EngineError, PlanError):
                    await starting
            self._stopping.set()
            await self._stop_all()

    async def _start(self) -> None:
        plan = self._plan
        self._check_ports()
        (plan.data / "logs").mkdir(exist_ok=True)
        plan.mail_folder.mkdir(parents=True, exist_ok=True)
        await self._start_zygote()
        self._say("starting the engines")
        await self._start_engines()
        self._say("preparing databases and topics")
        await self._zygote_ready.wait()
        await self._once(plan.first(), "passwords and keys can't be made")
        kept = kept_secrets(plan.data)
        await self._once(plan.preparation(kept, admin_url(self._engines)), "databases and topics can't be prepared")
        self._say("starting the services")
        for process in plan.processes(kept):
            self._children[process.name] = _Child(process)
            self._fork(self._children[process.name])
        await self._until_ready()

    def _check_ports(self) -> None:
        taken = [port for port in self._plan.ports.all() if port_taken(port)]
        if taken:
            numbers = ", ".join(map(str, taken[:3])) + (f" and {len(taken) - 3} more" if len(taken) > 3 else "")
            are = "port {} is" if len(taken) == 1 else "ports {} are"
            raise PlanError(f"{are.format(numbers)} taken: stop what listens there, or choose another with make run PORT=…")

    async def _start_engines(self) -> None:
        engines = await asyncio.to_thread(engines_of, self._plan, self._say)
        # Engines are started from this thread: Linux ends a child with the thread that made it.
        for engine in engines:
            self._engines.append(engine)
            engine.launch()
        await asyncio.gather(*(self._until_answering(engine) for engine in engines))
        self._tasks += [asyncio.create_task(self._keep(engine)) for engine in engines]

    async def _until_answering(self, engine: Engine, patience: float = 60.0) -> None:
        deadline = time.monotonic() + patience
        while not await asyncio.to_thread(engine.ready):
            if engine.process is None or engine.process.poll() is not None:
                raise EngineError(f"{engine.name} ended while starting: {last_words(engine.log)} (more in {engine.log})")
            if time.monotonic() > deadline:
                raise EngineError(f"{engine.name} does not answer after {patience:.0f} s, see {engine.log}")
            await asyncio.sleep(0.05)

    async def _once(self, process: Process, failed: str) -> None:
        """Have a process of its own do something, so that what it needs doesn't stay in our memory. Raises `PlanError`."""
        job = _Child(process)
        self._children[process.name] = job
        self._fork(job)
        await job.ended.wait()
        del self._children[process.name]
        if job.status != 0:
            log = self._log(process.name)
            raise PlanError(f"{failed}: {last_words(log)} (all of it in {log})")

    async def _start_zygote(self) -> None:
        self._zygote = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "microblog_local.zygote",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
            preexec_fn=_own_group,
            env=_FRUGAL
            | {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH", "TZ", "SSL_CERT_FILE")},
        )
        self._tasks.append(asyncio.create_task(self._hear_zygote(self._zygote)))

    async def _hear_zygote(self, zygote: asyncio.subprocess.Process) -> None:
        assert zygote.stdout is not None  # noqa: S101 - it is a pipe
        async for line in zygote.stdout:
            told = json.loads(line)
            if "ready" in told:
                self._zygote_ready.set()
            elif "started" in told:
                self._children[told["started"]].pid = told["pid"]
                self._write_status()
            elif told["ended"] in self._children:
                self._ended(self._children[told["ended"]], told["status"])
        if not self._stopping.is_set():
            self._say("the process that all others are forked from has ended: everything stops")
            self._zygote_ready.set()
            self.stop()

    def _fork(self, child: _Child) -> None:
        zygote = self._zygote
        if zygote is None or zygote.stdin is None or self._stopping.is_set():
            return
        child.started = time.monotonic()
        child.ended.clear()
        order = asdict(child.process) | {"start": child.process.name, "log": str(self._log(child.process.name))}
        zygote.stdin.write(json.dumps(order).encode() + b"\n")

    def _ended(self, child: _Child, status: int) -> None:
        child.pid, child.status = None, status
        child.ended.set()
        if self._stopping.is_set() or child.process.once:
            return
        if status == _WRONG_SETTINGS and not self._ready:
            self._refused.append(child)
            return
        if time.monotonic() - child.started > _STEADY:
            child.pause = _FIRST_PAUSE
        pause = child.pause
        child.pause = min(pause * 2, _LONGEST_PAUSE)
        self._say(
            f"{child.process.name} ended ({_reason(status)}), it is started again in {pause:.1f} s; its log: {self._log(child.process.name)}"
        )
        asyncio.get_running_loop().call_later(pause, self._fork, child)

    async def _keep(self, engine: Engine) -> None:
        """Start an engine again whenever it ends."""
        pause = _FIRST_PAUSE
        while True:
            assert engine.process is not None  # noqa: S101 - it runs
            started = time.monotonic()
            status = await _end_of(engine.process.pid, engine.process.poll)
            if self._stopping.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - started > _STEADY else pause
            self._say(f"{engine.name} ended ({_reason(status)}), it is started again in {pause:.1f} s; its log: {engine.log}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            with suppress(EngineError):
                engine.launch()
                self._write_status()
                await self._until_answering(engine)

    async def _until_ready(self) -> None:
        url = f"http://127.0.0.1:{self._plan.ports.gateway}/health/ready"
        deadline = time.monotonic() + 120
        told: Any = None
        while time.monotonic() < deadline:
            ready, told = await asyncio.to_thread(_ask, url)
            if ready:
                self._ready = True
                self._write_status()
                return
            if self._refused:
                raise PlanError("; ".join(dict.fromkeys(_complaint(self._log(child.process.name)) for child in self._refused)))
            await asyncio.sleep(0.1)
        raise PlanError(f"not everything is ready after two minutes: {told}; the logs are in {self._plan.data / 'logs'}")

    async def _stop_all(self) -> None:
        """Ours, then what they need."""
        for kind in _ENDING:
            group = [child for name, child in self._children.items() if name.endswith(kind) and child.pid is not None]
            for child in group:
                _signal(child.pid, signal.SIGTERM)
            await asyncio.gather(*(self._gone(child) for child in group))
        for task in self._tasks:
            task.cancel()
        if self._zygote is not None and self._zygote.returncode is None:
            self._zygote.kill()
            await self._zygote.wait()
        await asyncio.gather(*(asyncio.to_thread(engine.stop, _ENGINES_END) for engine in self._engines))
        self.status_file.unlink(missing_ok=True)

    async def _gone(self, child: _Child) -> None:
        try:
            await asyncio.wait_for(child.ended.wait(), PATIENCE_AT_END)
        except TimeoutError:
            self._say(f"{child.process.name} has not ended {PATIENCE_AT_END:.0f} s after it was asked to, and is killed")
            _signal(child.pid, signal.SIGKILL)

    def _log(self, name: str) -> Path:
        return self._plan.data / "logs" / f"{name.replace(' ', '-')}.log"

    def _write_status(self) -> None:
        """What `status` and the tests read: names, process ids and ports."""
        rows: list[dict[str, Any]] = [{"name": e.name, "pid": e.pid, "port": e.port} for e in self._engines]
        rows += [{"name": c.process.name, "pid": c.pid, "port": c.process.port} for c in self._children.values()]
        temporary = self.status_file.with_suffix(".new")
        temporary.write_text(json.dumps(rows))
        temporary.rename(self.status_file)


def engines_of(plan: Plan, say: Say) -> list[Engine]:
    """The engines that have no address of their own, none of them started. Raises `EngineError`."""
    engines: list[Engine] = []
    if plan.own_databases:
        engines.append(Postgres(plan.data / "postgresql", plan.ports.postgres))
    if plan.own_kafka:
        engines.append(Kafka(plan.data / "kafka", plan.ports.kafka, plan.ports.kafka_controller, resolve_jars(say)))
    if plan.own_search:
        engines.append(Noida(plan.data / "search", plan.ports.search_engine))
    return engines


def admin_url(engines: list[Engine]) -> str | None:
    """Where the superuser of the embedded PostgreSQL logs in, if there is one."""
    return next((engine.admin_url for engine in engines if isinstance(engine, Postgres)), None)


def _own_group() -> None:
    os.setpgid(0, 0)
    die_with_parent()()


def _wait_for(poll: Callable[[], int | None]) -> int:
    """Where the system gives no event, look twice a second."""
    while (status := poll()) is None:
        time.sleep(0.5)
    return status


async def _end_of(pid: int, poll: Callable[[], int | None]) -> int:
    """Wait for a process without looking at it again and again, where the system lets us."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return await asyncio.to_thread(_wait_for, poll)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return poll() or 0


def _ask(url: str) -> tuple[bool, Any]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own gateway
            return response.status == 200, None
    except urllib.error.HTTPError as error:
        return False, error.read().decode()[:500]
    except OSError as error:
        return False, str(error)


def _complaint(log: Path) -> str:
    """What a process that refused its settings said last."""
    words = last_words(log)
    try:
        return str(json.loads(words)["message"])
    except (ValueError, KeyError, TypeError):
        return words


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _reason(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit code {status}"
