"""A pytest plugin for tests that run in a client's own environment: the stack is one that whoever started them runs."""

import os
from pathlib import Path

import pytest
from stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    """It isn't ours to end, so it comes without its process."""
    return Stack(int(os.environ["STACK_PORT"]), Path(os.environ["STACK_DATA"]), process=None, postmark=os.environ["STACK_POSTMARK"])  # type: ignore[arg-type]
