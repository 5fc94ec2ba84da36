"""Secrets for a new installation, and keys for a change of keys.

`python -m common.keys < .env.example > .env` gives every secret that is still empty a new random value;
`python -m common.keys gateway 2` makes the second key of the gateways: a line with the private, one with the public part.
"""

import argparse
import json
import re
import secrets
import sys

from common.identity import generate_key

_EMPTY = re.compile(r"^([A-Z_]+)=\s*$")


def fill(lines: list[str]) -> list[str]:
    """Return the lines of a settings file with a value after every `NAME=` that has none; what has one stays."""
    gateway, notify = generate_key("gateway"), generate_key("notify")
    keys = {
        "GATEWAY_SIGNING_KEY": f"'{gateway[0]}'",
        "NOTIFY_SIGNING_KEY": f"'{notify[0]}'",
        "MICROBLOG_IDENTITY_KEYS": f"'{json.dumps({'keys': [gateway[1], notify[1]]})}'",
    }
    given = {line.partition("=")[0] for line in lines if "=" in line and not _EMPTY.match(line)}
    if given & keys.keys():
        raise ValueError(f"{', '.join(sorted(keys))} belong together: empty all of them or none")
    filled = []
    for line in lines:
        empty = _EMPTY.match(line)
        filled.append(f"{empty[1]}={keys.get(empty[1]) or secrets.token_urlsafe(32)}" if empty else line.rstrip("\n"))
    return filled


def main() -> int:
    parser = argparse.ArgumentParser(prog="common.keys", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("issuer", nargs="?", choices=["gateway", "notify"], help="who will sign with a single new key")
    parser.add_argument("number", nargs="?", type=int, default=2, help="the key's number, one higher than the last")
    given = parser.parse_args()
    if given.issuer:
        private, public = generate_key(given.issuer, given.number)
        print(f"{private}\n{json.dumps(public)}")  # noqa: T201 - a command
        return 0
    try:
        print("\n".join(fill(sys.stdin.readlines())))  # noqa: T201 - a command
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
