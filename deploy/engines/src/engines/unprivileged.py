"""Run a program that refuses to be root, as PostgreSQL does, when we are.

In a user namespace of its own it is somebody else whose files are ours (user_namespaces(7)), and reaches whatever we reach. Where the kernel
lets nobody make one, as in most containers, it runs as `nobody`, from a copy of its binaries if a folder above them is closed to others.
"""

import ctypes
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

_CLONE_NEWUSER: Final = 0x10000000
_SOMEBODY: Final = 1000


def demotion() -> Callable[[], None] | None:
    """What a child runs before such a program; None where we aren't root."""
    if os.geteuid() != 0:
        return None
    return _enter_namespace if _namespaces_work() else _become_nobody


def hand_over(*paths: Path) -> None:
    """Give files and folders of ours to whom the program will run as; the folders above let them pass, and show them nothing."""
    if os.geteuid() != 0 or _namespaces_work():
        return
    account = pwd.getpwnam("nobody")
    for path in paths:
        os.chown(path, account.pw_uid, account.pw_gid)
        for parent in path.parents:
            status = parent.stat()
            if status.st_uid == os.geteuid() and not status.st_mode & 0o001:
                parent.chmod(status.st_mode | 0o001)


def within_reach(package: Path, *beside: Path) -> Path:
    """The folder of the program's files, or a copy of it (and of the folders beside it) that others reach."""
    if os.geteuid() != 0 or _namespaces_work() or all(parent.stat().st_mode & 0o001 for parent in package.resolve().parents):
        return package
    mark = f"{package.stat().st_mtime_ns:x}"
    copies = Path(tempfile.gettempdir()) / f"microblog-{package.name}-{mark}"
    if not copies.exists():
        half = Path(tempfile.mkdtemp(prefix=f"{copies.name}."))
        half.chmod(0o711)
        for folder in (package, *beside):
            shutil.copytree(folder, half / folder.name, symlinks=True)
        try:
            half.rename(copies)
        except OSError:  # another process was faster
            shutil.rmtree(half)
    if copies.stat().st_uid != os.geteuid():
        raise PermissionError(f"{copies} is not ours: delete it and start again")
    return copies / package.name


@cache
def _namespaces_work() -> bool:
    try:
        return subprocess.run(["true"], preexec_fn=_enter_namespace, check=False).returncode == 0
    except subprocess.SubprocessError:
        return False


def _enter_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_SOMEBODY} 0 1"), ("gid_map", f"{_SOMEBODY} 0 1")):
        Path(f"/proc/self/{name}").write_text(text)


def _become_nobody() -> None:
    account = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
