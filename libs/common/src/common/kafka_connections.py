"""aiokafka on uvloop: a request over a connection that the broker has just closed (https://github.com/aio-libs/aiokafka/issues/1038).

asyncio's transports take such a request silently, uvloop's raise `RuntimeError`, and aiokafka knows only `OSError`. So whichever task of a client
happens to ask in that moment ends. If it is the one that keeps the client's metadata, nobody hears of it: all others wait for metadata for ever,
and read and acknowledge nothing until the watchdog ends the process a minute later.
"""

from collections.abc import Awaitable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send


def mend() -> None:
    """Have aiokafka say of every connection that is closed what it says of most; harmless when done again."""
    AIOKafkaConnection.send = _send_or_tell


def _send_or_tell(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Awaitable[Any]:
    """`AIOKafkaConnection.send`, through which every request passes. Raises `KafkaConnectionError`."""
    try:
        answer: Awaitable[Any] = _send(connection, request, expect_response)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error
    return answer
