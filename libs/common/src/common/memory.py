"""What the allocator keeps: enough for the next answer, and not what a burst needed, such as reading a large picture."""

import ctypes
import gc
from typing import Final

_LIBC = ctypes.CDLL(None)
_TOP_PAD: Final = -2
_READY: Final = 512 * 1024


def keep_ready() -> None:
    """Keep some free memory between requests, where the C library can (glibc, mallopt(3)).

    By default it gives what a page of posts needed back at once, and asks for it again with the next: two system calls and a fault for
    every 4 kB each time.
    """
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_TOP_PAD, _READY)


def give_back() -> None:
    """Return free memory to the system, where the C library can (glibc); takes some milliseconds, so only call it at rest."""
    gc.collect()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
