"""All logs as one coloured stream, service by service."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final, TextIO

_COLOURS: Final = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_LEVELS: Final = {"WARNING": 33, "ERROR": 31, "CRITICAL": 31}
_OWN: Final = frozenset({"time", "level", "process", "logger", "message"})


def follow(data: Path) -> int:
    """Print what all processes log, the last lines first, until interrupted."""
    if not (data / "logs").exists():
        print(f"microblog: there are no logs at {data}: start a stack with make run, or say which with PORT= or DATA=", file=sys.stderr)
        return 1
    files: dict[Path, TextIO] = {}
    try:
        while True:
            for path in sorted([*(data / "logs").glob("*.log"), *data.glob("*/*.log")]):
                if path not in files:
                    files[path] = path.open(encoding="utf-8", errors="replace")
                    for line in files[path].readlines()[-5:]:
                        _print(path, line)
            quiet = True
            for path, file in files.items():
                for line in file:
                    quiet = False
                    _print(path, line)
            if quiet:
                time.sleep(0.3)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _print(path: Path, line: str) -> None:
    name = path.stem
    colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
    print(f"{_paint(f'{name:18}', colour)} {_readable(line.rstrip())}", flush=True)


def _readable(line: str) -> str:
    try:
        told: dict[str, Any] = json.loads(line)
        level = told["level"]
        fields = " ".join(f"{key}={value}" for key, value in told.items() if key not in _OWN)
        return f"{told.get('time', '')[11:23]} {_paint(f'{level:7}', _LEVELS.get(level, 90))} {told['message']} {_paint(fields, 90)}"
    except (ValueError, KeyError, TypeError):
        return line


def _paint(text: str, colour: int) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if sys.stdout.isatty() else text
