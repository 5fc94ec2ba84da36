"""The quick form of `make chaos`: some faults on one stack, and a ledger of every request and every effect.

`MICROBLOG_CHAOS_SEED` chooses what chance begins with; without it that is always the same.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from bed import Bed, bed
from quick import ROUNDS, Fault, side_by_side

pytestmark = pytest.mark.timeout(300)

_SEED = int(os.environ.get("MICROBLOG_CHAOS_SEED", "1"))


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """A stack that nobody else uses, with a mail provider that can fail."""
    with bed(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.mark.parametrize("faults", ROUNDS, ids=lambda faults: "+".join(faults))
def test_nothing_is_lost_or_doubled_or_refused(tried: Bed, faults: Mapping[str, Fault]) -> None:
    for outcome in side_by_side(tried, faults, _SEED):
        assert outcome.right, "\n".join([outcome.line(), *outcome.violations])
