"""The engines of `compose.yaml` in containers that end with the tests, for `TEST_ENGINES=containers`; needs Docker.

Each is published on one port of loopback, which it also names to its clients.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy, HttpWaitStrategy, LogMessageWaitStrategy

POSTGRES = "postgres:18"
KAFKA = "apache/kafka:4.4.0"
ELASTICSEARCH = "elasticsearch:9.5.2"
_PATIENCE = 120


def _published(image: str, inner: int, port: int) -> DockerContainer:
    """On loopback only, which `with_bind_ports` can't say, but Docker's own client, that gets what stands here, can."""
    container = DockerContainer(image)
    container.ports[f"{inner}/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]
    return container


@contextmanager
def postgres(port: int) -> Iterator[str]:
    """The address of a server where the test may make databases."""
    container = _published(POSTGRES, 5432, port).with_env("POSTGRES_PASSWORD", "tests")
    ready = ["pg_isready", "--host", "127.0.0.1", "--username", "postgres"]  # while it sets itself up it answers on its socket only
    container.waiting_for(ExecWaitStrategy(ready).with_startup_timeout(_PATIENCE))
    with container:
        yield f"postgresql://postgres:tests@127.0.0.1:{port}/postgres"


@contextmanager
def kafka(port: int) -> Iterator[str]:
    """The address of a broker that makes no topics by itself."""
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "CLIENTS://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENTS://127.0.0.1:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "CLIENTS",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    container = _published(KAFKA, 9092, port).with_envs(**settings)
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(_PATIENCE))
    with container:
        yield f"127.0.0.1:{port}"


@contextmanager
def elasticsearch(port: int) -> Iterator[str]:
    """The address of a server without passwords."""
    settings = {"discovery.type": "single-node", "xpack.security.enabled": "false", "ES_JAVA_OPTS": "-Xms512m -Xmx512m"}
    container = _published(ELASTICSEARCH, 9200, port)
    for name, value in settings.items():
        container.with_env(name, value)
    container.waiting_for(HttpWaitStrategy(9200, "/_cluster/health").with_startup_timeout(_PATIENCE))
    with container:
        yield f"http://127.0.0.1:{port}"
