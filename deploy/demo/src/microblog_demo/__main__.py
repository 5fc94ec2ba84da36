"""`python -m microblog_demo --url http://localhost:8000 --mail FOLDER`."""

import argparse
import asyncio
import email
import email.policy
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
    parser.add_argument("--state", type=Path, default=Path("demo-state.json"), help="keeps the people's tokens, which spares a log-in")
    arguments = parser.parse_args()
    started = time.monotonic()

    def step(_: str) -> None:
        bar.update()

    with tqdm(total=Loader.steps(), unit="", desc="demo community", disable=not sys.stderr.isatty()) as bar:
        try:
            asyncio.run(Loader(arguments.url, lambda address: _mails(arguments.mail, address), arguments.state, step).load())
        except LoadError as error:
            print(f"microblog: {error}", file=sys.stderr)
            return 1
    pictures = sum(post.picture is not None for post in content.posts())
    seconds = time.monotonic() - started
    print(f"microblog: {len(content.people())} people, {len(content.posts())} posts, {pictures} pictures in {seconds:.0f} s")
    return 0


def _mails(folder: Path, address: str) -> list[str]:
    """The texts of the mails in a folder that are addressed to somebody, the oldest first."""
    found = []
    for file in sorted(folder.glob("*.eml"), key=lambda file: file.stat().st_mtime):
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        body = message.get_body(("plain",))
        if body is not None and str(message["To"]) == address:
            found.append(body.get_content())
    return found


if __name__ == "__main__":
    sys.exit(main())
