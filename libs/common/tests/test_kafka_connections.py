"""A connection to Kafka that closes just before something is asked, on the event loop that services run on."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from common.kafka_connections import mend


async def asked_too_late(servers: str) -> AIOKafkaConnection:
    host, _, port = servers.partition(":")
    closed = []
    connection = await create_conn(host, int(port), on_close=lambda *reasons: closed.append(reasons))
    assert (await connection.send(MetadataRequest([]))).brokers
    transport = connection._writer.transport
    transport.abort()  # as when the other end is gone
    while "closed=True" not in repr(transport):  # the loop is through with it; aiokafka hears of it in its next turns
        await asyncio.sleep(0)
    with pytest.raises(KafkaConnectionError):
        await connection.send(MetadataRequest([]))
    assert not connection.connected()
    await asyncio.sleep(0)
    assert len(closed) == 1, "who opened it opens another one"
    return connection


def test_who_asks_over_a_connection_that_closed_is_told_so(kafka_servers: str) -> None:
    mend()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        connection = runner.run(asked_too_late(kafka_servers))
    assert not connection.connected()
