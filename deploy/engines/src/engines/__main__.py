"""`python -m engines fetch`: have everything here that the engines need."""

import sys

from engines.kafka import resolve_jars
from engines.process import EngineError

if __name__ == "__main__":
    if sys.argv[1:] != ["fetch"]:
        raise SystemExit("usage: python -m engines fetch")
    try:
        resolve_jars(lambda line: print(f"microblog: {line}", flush=True))
    except EngineError as error:
        raise SystemExit(f"microblog: {error}") from None
