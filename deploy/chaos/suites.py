"""Faults that tests of their own already try: F10 events in any order, F21 a broker that lost everything."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from outcomes import Outcome

_ROOT: Final = Path(__file__).parents[2]


def shuffled() -> Outcome:
    """F10: a thousand orders of what each service hears."""
    suites = sorted(str(suite.relative_to(_ROOT)) for suite in _ROOT.glob("services/*/tests/test_shuffles.py"))
    services = ", ".join(suite.split("/")[1] for suite in suites)
    return _run("F10", f"events in any order, some twice: 1,000 orders for each of {services}", "--hypothesis-profile=chaos", *suites)


def broker_emptied() -> Outcome:
    """F21: the broker comes back without any of its data."""
    return _run("F21", "the broker loses all its data; `republish`, `rebuild`", "deploy/tests/test_broker_loss.py")


def _run(fault: str, done: str, *arguments: str) -> Outcome:
    outcome = Outcome(fault, done)
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "--timeout=1200", "-m", "", *arguments]
    ended = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=1500, check=False, env={**os.environ})
    last = ended.stdout.strip().splitlines()[-1:] or [ended.stderr.strip()[-200:]]
    summary = re.sub(r"[= ]+", " ", last[0]).strip()
    if ended.returncode == 0 and "skipped" in summary:
        outcome.skipped = summary
    outcome.aim("all tests pass", summary, ended.returncode == 0)
    outcome.violations += [line for line in ended.stdout.splitlines() if line.startswith("FAILED")]
    return outcome
