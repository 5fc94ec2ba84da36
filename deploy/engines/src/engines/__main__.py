"""`python -m engines fetch`: have everything here that the engines need."""

import sys

from engines.kafka_jars import resolve_jars
from engines.process import EngineError
from engines.training import train


def _say(line: str) -> None:
    print(f"microblog: {line}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] != ["fetch"]:
        raise SystemExit("usage: python -m engines fetch")
    try:
        train(resolve_jars(_say), _say)
    except EngineError as error:
        raise SystemExit(f"microblog: {error}") from None
