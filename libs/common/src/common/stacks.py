"""What a process waits for, to be told in the log when it ends because it got nowhere: afterwards nobody can ask it any more."""

import asyncio
from types import FrameType
from typing import Any


def waiting() -> dict[str, str]:
    """Where every other task of the running loop waits: by the task's name, its functions from the outermost to the innermost, with files and lines."""
    return {task.get_name(): " > ".join(_chain(task.get_coro())) for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def _chain(awaited: Any) -> list[str]:
    """`Task.get_stack` ends at the first coroutine; the one that this awaits is an attribute of it, and so on."""
    found = []
    while awaited is not None:
        frame: FrameType | None = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            file = "/".join(frame.f_code.co_filename.rsplit("/", 2)[1:])
            found.append(f"{frame.f_code.co_name} ({file}:{frame.f_lineno})")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return found
