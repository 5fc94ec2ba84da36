"""`python -m microblog_local run|stop|reset|logs|status|operate`."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from engines.process import EngineError

from microblog_local import logs
from microblog_local.plan import Plan, PlanError, Ports, Process, kept_secrets, read_settings
from microblog_local.supervisor import LONGEST_STOP, Supervisor, admin_url, engines_of

_LEAST_FREE = 500 * 1024 * 1024
_DEMO_LOADED = "demo-loaded"


def main() -> int:
    parser = argparse.ArgumentParser(prog="microblog_local", description=__doc__)
    parser.add_argument(
        "command",
        choices=["run", "stop", "reset", "logs", "status", "operate"],
        help="operate: the operator's command, with what follows --",
    )
    parser.add_argument("--port", type=int, default=8000, help="the gateway's port; the others follow from it (default 8000)")
    parser.add_argument("--data", type=Path, help="where this stack keeps everything (default .data/PORT)")
    parser.add_argument("--env", type=Path, help="file with settings, NAME=value a line")
    parser.add_argument("--no-demo", action="store_true", help="start without the demo community")
    parser.add_argument("--yes", action="store_true", help="don't ask before deleting")
    ours, operators = _split(sys.argv[1:])
    arguments = parser.parse_args(ours)
    data: Path = (arguments.data or Path(".data") / str(arguments.port)).absolute()
    try:
        match arguments.command:
            case "run":
                return _run(Plan(Ports(arguments.port), data, read_settings(arguments.env)), demo=not arguments.no_demo)
            case "stop":
                return _stop(data)
            case "reset":
                return _reset(data, sure=arguments.yes)
            case "logs":
                return logs.follow(data)
            case "operate":
                return _operate(Plan(Ports(arguments.port), data, read_settings(arguments.env)), operators)
            case _:
                return _status(data)
    except (PlanError, EngineError) as error:
        print(f"microblog: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"microblog: {error.strerror or error} ({error.filename or data})", file=sys.stderr)
        return 1


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is for this command, and, after `--`, what is for the operator's."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _run(plan: Plan, *, demo: bool) -> int:
    plan.data.mkdir(parents=True, exist_ok=True)
    plan.data.chmod(0o711)
    if shutil.disk_usage(plan.data).free < _LEAST_FREE:
        raise PlanError(f"the disk is full: the stack needs 500 MB free at {plan.data}")
    other = _running(plan.data)
    if other:
        raise PlanError(f"a stack already runs on {plan.data} (pid {other}): stop it with make stop, or choose another folder with DATA=…")
    started = time.monotonic()
    if plan.unprotected:
        print(
            f"microblog: PROTECTIONS ARE OFF ({', '.join(plan.unprotected)}): for client test suites, never for people or figures",
            flush=True,
        )
    (plan.data / "runner.pid").write_text(str(os.getpid()))

    def say(line: str) -> None:
        print(f"microblog: {line}", flush=True)

    def when_ready() -> None:
        say(f"ready after {time.monotonic() - started:.1f} s")
        if demo:
            _load_demo(plan, say)
        say(f"open {plan.public_url}")
        if plan.given.get("NOTIFY_MAIL_PROVIDER", "file") == "file":
            say(f"mail lies in {plan.mail_folder}")
        say("Ctrl-C stops everything; the data stays")

    async def whole() -> None:
        supervisor = Supervisor(plan, say)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, supervisor.stop)
        await supervisor.run(when_ready)

    try:
        asyncio.run(whole())
    finally:
        (plan.data / "runner.pid").unlink(missing_ok=True)
    say("stopped")
    return 0


def _load_demo(plan: Plan, say: object) -> None:
    """Load the demo community once; without it the stack is as good."""
    assert callable(say)  # noqa: S101
    done = plan.data / _DEMO_LOADED
    try:
        from microblog_demo import LOGIN
    except ImportError:
        return
    if not done.exists():
        say("loading the demo community")
        command = [
            sys.executable,
            "-m",
            "microblog_demo",
            "--url",
            f"http://127.0.0.1:{plan.ports.gateway}",
            "--mail",
            str(plan.mail_folder),
        ]
        loaded = subprocess.run([*command, "--state", str(plan.data / "demo-state.json")], check=False)
        if loaded.returncode != 0:
            say("the demo community could not be loaded; try again with make demo")
            return
        done.touch()
    say(f"log in as {LOGIN[0]} with the password {LOGIN[1]}")


def _running(data: Path) -> int | None:
    """The pid of the runner of this folder, if it lives."""
    try:
        pid = int((data / "runner.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").exists() else b"microblog_local"
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid if b"microblog_local" in words else None


def _stop(data: Path) -> int:
    pid = _running(data)
    if pid is None:
        print(f"microblog: nothing runs on {data}")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + LONGEST_STOP
    while time.monotonic() < deadline:
        if _running(data) is None:
            print("microblog: stopped")
            return 0
        time.sleep(0.1)
    print(f"microblog: the runner (pid {pid}) has not ended after {LONGEST_STOP:.0f} s", file=sys.stderr)
    return 1


def _reset(data: Path, *, sure: bool) -> int:
    if not data.exists():
        print(f"microblog: there is nothing at {data}")
        return 0
    if not sure and _asked(f"Delete everything in {data}? Type yes: ") != "yes":
        print("microblog: nothing was deleted")
        return 1
    if _stop(data) != 0:
        return 1
    shutil.rmtree(data)
    print(f"microblog: {data} is gone")
    return 0


def _asked(question: str) -> str:
    """What somebody types; nothing if nobody is there to ask."""
    try:
        return input(question).strip().lower()
    except EOFError:
        print()
        return ""


def _operate(plan: Plan, arguments: list[str]) -> int:
    """Run the operator's command with the settings of this stack; of one that doesn't run, its engines do for as long."""
    command = [sys.executable, "-m", "microblog_operator", *arguments]
    restoring = arguments[:1] == ["restore"]
    if restoring and _running(plan.data):
        raise PlanError("the services must not run while their databases are filled: make stop first, the engines are started for it")
    with ExitStack() as engines:
        if not _running(plan.data):
            _start_engines(plan, engines, new=restoring)
        done = subprocess.run(command, env={**os.environ, **plan.operators_settings(kept_secrets(plan.data))}, check=False).returncode
    if restoring and done == 0:
        (plan.data / _DEMO_LOADED).touch()  # a community of its own has no use for it
    return done


def _start_engines(plan: Plan, stack: ExitStack, *, new: bool) -> None:
    """Start the engines of a stack that doesn't run until `stack` ends; a new one gets its secrets, databases and topics, too."""
    if new:
        plan.data.mkdir(parents=True, exist_ok=True)
        plan.data.chmod(0o711)
        _once(plan.first())
    kept = kept_secrets(plan.data)
    engines = engines_of(plan, lambda line: print(f"microblog: {line}", file=sys.stderr))
    for engine in engines:
        stack.callback(engine.stop)
        engine.start()
    if new:
        _once(plan.preparation(kept, admin_url(engines)))


def _once(process: Process) -> None:
    """Do what a process of the plan does that ends by itself."""
    module, _, function = process.target.partition(":")
    command = [sys.executable, "-c", f"from {module} import {function}; {function}()"]
    if subprocess.run(command, env={**os.environ, **process.environment}, check=False).returncode != 0:
        raise PlanError(f"the stack has no {process.name}")


def _status(data: Path) -> int:
    if _running(data) is None:
        print(f"microblog: nothing runs on {data}")
        return 1
    status = data / "status.json"
    if not status.exists():
        print("microblog: it is starting")
        return 0
    for row in json.loads(status.read_text()):
        memory = "-"
        with suppress(OSError, TypeError):
            smaps = Path(f"/proc/{row['pid']}/smaps_rollup").read_text()
            memory = f"{int(smaps.split('Pss:', 1)[1].split()[0]) // 1024} MB"
        print(f"{row['name']:18} pid {row['pid'] or '-':>8}  port {row['port']}  {memory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
