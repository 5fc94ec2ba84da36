"""What tasks wait for, as the log tells it."""

import asyncio

import pytest
from common.stacks import waiting

pytestmark = pytest.mark.anyio


async def inner(forever: asyncio.Event) -> None:
    await forever.wait()


async def outer(forever: asyncio.Event) -> None:
    await inner(forever)


async def test_each_task_is_told_from_the_outermost_to_where_it_waits() -> None:
    forever = asyncio.Event()
    task = asyncio.create_task(outer(forever), name="one that hangs")
    await asyncio.sleep(0)
    told = waiting()["one that hangs"]
    assert [step.split(" ")[0] for step in told.split(" > ")] == ["outer", "inner", "wait"]
    assert "tests/test_stacks.py:" in told
    forever.set()
    await task
    assert "one that hangs" not in waiting()
