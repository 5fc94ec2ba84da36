"""The quick form of `make chaos`: some faults on one stack, and a ledger of every request and every effect.

The seed is printed when a test fails; `MICROBLOG_CHAOS_SEED` repeats it.
"""

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

import crashes
import providers
import records
from bed import Bed, bed
from outcomes import Outcome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """A stack that nobody else uses, with a mail provider that can fail."""
    with bed(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Random:
    seed = int(os.environ.get("MICROBLOG_CHAOS_SEED", secrets.randbelow(1_000_000)))
    print(f"MICROBLOG_CHAOS_SEED={seed}")
    return Random(f"{seed} {request.node.name}")


def well(outcome: Outcome) -> None:
    """Nothing lost, doubled or refused. How fast it was is for `make chaos` to judge, where nothing else runs."""
    assert outcome.right, "\n".join([outcome.line(), *outcome.violations])


def test_processes_may_be_killed_at_any_moment(tried: Bed, chance: Random) -> None:
    well(crashes.killed(tried, chance, runs=2))


def test_a_killed_broker_refuses_no_write(tried: Bed, chance: Random) -> None:
    well(crashes.broker_killed(tried, chance, (signal.SIGKILL,)))


def test_a_database_that_shuts_down_at_once_loses_nothing(tried: Bed, chance: Random) -> None:
    well(crashes.database_killed(tried, chance, times=1))


def test_whatever_the_mail_provider_answers_each_mail_leaves_once(tried: Bed, chance: Random) -> None:
    well(providers.mail_fails(tried, chance))


def test_records_that_cannot_be_read_are_buried_once_and_hold_up_nobody(tried: Bed, chance: Random) -> None:
    well(records.poison(tried, chance))
