"""The process that all others are forked from: it has imported everything once, and shares that memory with them.

Speaks JSON lines with its parent: `{"start": name, …}` on standard input; `{"ready": true}`, `{"started": name, "pid": n}` and
`{"ended": name, "pid": n, "status": n}` on standard output. It never starts a thread, so that forking stays safe, and dies with its parent.
"""

import importlib
import json
import os
import selectors
import signal
import sys
from typing import Any, Final

import setproctitle
from engines.process import die_with_parent

from microblog_local.preloading import preload

_ENDS: Final = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    die_with_parent()()
    preload()
    names: dict[int, str] = {}
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for ignored in _ENDS:
        signal.signal(ignored, signal.SIG_IGN)  # the parent decides when children go
    _tell({"ready": True})
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin.buffer, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        buffer = b""
        while True:
            for key, _ in selector.select():
                if key.fileobj == wake_read:
                    os.read(wake_read, 4096)
                    _reap(names)
                    continue
                received = os.read(sys.stdin.fileno(), 1 << 20)
                if not received:
                    return  # the parent has closed: its end ends us and the children
                buffer += received
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    order = json.loads(line)
                    names[_fork(order)] = order["start"]


def _fork(order: dict[str, Any]) -> int:
    """Fork what was ordered. Until it has its own say in how it ends, signals wait: as here they would be ignored, and it would be killed in the end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    pid = os.fork()
    if pid == 0:
        try:
            _become(order)
        except BaseException as error:
            if not isinstance(error, SystemExit):
                sys.excepthook(type(error), error, error.__traceback__)
            sys.stderr.flush()
            os._exit(error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1)
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    _tell({"started": order["start"], "pid": pid})
    return pid


def _become(order: dict[str, Any]) -> None:
    """Turn this fork into the process that was ordered."""
    signal.set_wakeup_fd(-1)
    for name in (signal.SIGCHLD, *_ENDS):
        signal.signal(name, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which stops us in order
    die_with_parent()()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    setproctitle.setproctitle(f"microblog: {order['start']}")
    module, factory = order["target"].split(":")
    create = getattr(importlib.import_module(module), factory)
    if order["once"]:
        create()
    else:
        server = importlib.import_module("gateway.serving" if order["edge"] else "common.serving")
        server.serve(create, order["host"], order["port"])


def _reap(names: dict[int, str]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell({"ended": names.pop(pid, "?"), "pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
