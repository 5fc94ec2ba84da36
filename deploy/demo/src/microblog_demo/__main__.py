"""`python -m microblog_demo --url http://localhost:8000 --mail FOLDER`."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from tqdm import tqdm

from microblog_demo import content
from microblog_demo.loading import Loader, LoadError


def main() -> int:
    parser = argparse.ArgumentParser(prog="microblog_demo", description=__doc__)
    parser.add_argument("--url", default="http://localhost:8000", help="where the stack is")
    parser.add_argument("--mail", type=Path, required=True, help="where its mails lie (provider file)")
    parser.add_argument("--state", type=Path, default=Path("demo-state.json"), help="keeps the people's tokens, so that a load can go on")
    arguments = parser.parse_args()
    started = time.monotonic()

    def step(_: str) -> None:
        bar.update()

    with tqdm(total=Loader.steps(), unit="", desc="demo community", disable=not sys.stderr.isatty()) as bar:
        try:
            asyncio.run(Loader(arguments.url, arguments.mail, arguments.state, step).load())
        except LoadError as error:
            print(f"microblog: {error}", file=sys.stderr)
            return 1
    pictures = sum(post.picture is not None for post in content.posts())
    seconds = time.monotonic() - started
    print(f"microblog: {len(content.people())} people, {len(content.posts())} posts, {pictures} pictures in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
