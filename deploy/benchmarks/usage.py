"""CPU time and memory of a running stack, process by process, from `/proc`: no sampling, no load of its own."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


class Usage:
    """The processes of the stack that keeps its data in `data`, its runner and PostgreSQL's own children included."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._runner = int((data / "runner.pid").read_text())

    def cpu_ms(self) -> Counter[str]:
        """Milliseconds of CPU used so far, by part."""
        used: Counter[str] = Counter()
        for pid, part in self._parts():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            used[part] += round((int(fields[11]) + int(fields[12])) * _TICK_MS)
        return used

    def memory_mb(self) -> Counter[str]:
        """Proportional set size (shared pages divided among those who share them), by part."""
        held: Counter[str] = Counter()
        for pid, part in self._parts():
            try:
                told = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            held[part] += int(told.split("Pss:", 1)[1].split()[0]) // 1024
        return held

    def _parts(self) -> Iterator[tuple[int, str]]:
        names = {row["pid"]: row["name"] for row in json.loads((self._data / "status.json").read_text())}
        children = _children()
        waiting = [(self._runner, "runner")]
        while waiting:
            pid, inherited = waiting.pop()
            part = names.get(pid, inherited)
            yield pid, part
            waiting += [(child, part) for child in children.get(pid, [])]


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(folder.name))
    return found
