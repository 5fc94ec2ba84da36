"""What `make chaos` makes of faults that couldn't be tried; nothing is broken here."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from bed import Bed, Gate
from outcomes import Outcome, table
from quick import side_by_side

PROGRAM = Path(__file__).parents[1] / "chaos" / "chaos.py"
Chaos = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def chaos(tmp_path: Path) -> Chaos:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command, settings = [sys.executable, PROGRAM, *arguments], {**os.environ, "TMPDIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=settings)

    return run


def test_a_fault_that_was_not_tried_is_told_and_is_no_success(chaos: Chaos) -> None:
    ended = chaos("--only", "F10,F13", "--minutes", "0")
    assert ended.returncode == 1, ended.stderr
    assert "F10: NOT RUN: the time is over" in ended.stdout
    assert "not tried: F10, F13" in ended.stdout
    assert "F1:" not in ended.stdout  # who names some asks for no others


def test_a_fault_that_does_not_exist_is_refused(chaos: Chaos) -> None:
    ended = chaos("--only", "F99")
    assert (ended.returncode, "F99 is none of F1, F3" in ended.stderr) == (2, True)


@pytest.mark.parametrize("outcome", [Outcome("F13", "slow links", skipped="no toxiproxy"), Outcome("F13", "slow links", lost=1)])
def test_only_what_was_tried_and_held_counts_as_met(outcome: Outcome) -> None:
    assert not outcome.met
    assert not outcome.right
    assert table([outcome]).splitlines()[-1].endswith("| **NO** |")


def test_what_was_tried_and_held_is_met() -> None:
    outcome = Outcome("F10", "events in any order", aims=[("the same state", "the same", True)])
    assert outcome.met
    assert table([outcome]).splitlines()[-1].endswith("| yes |")


def test_a_fault_waits_for_the_one_beside_it_before_it_counts_but_not_for_one_that_broke_off() -> None:
    class Stackless:
        gate: Gate | None = None

    came = []

    def counts(bed: Bed, chance: Random) -> Outcome:
        assert bed.gate is not None
        came.append("one")
        assert bed.gate.come(20)
        assert bed.gate.come(0)
        return Outcome("F7", f"after {len(came)}")

    def breaks_off(bed: Bed, chance: Random) -> Outcome:
        raise RuntimeError("readiness did not come")

    made = cast("Bed", Stackless())
    together = side_by_side(made, {"F7": counts, "F9": counts}, seed=1)
    assert [(one.done, one.right, one.broken) for one in together] == [("after 2", True, False)] * 2
    alone = side_by_side(made, {"F7": counts, "F9": breaks_off}, seed=1)
    assert [(one.right, one.broken) for one in alone] == [(True, False), (False, True)]
    assert alone[1].violations == ["RuntimeError: readiness did not come"]
    assert made.gate is None
