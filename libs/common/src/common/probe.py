"""`python -m common.probe [URL]`: ends with 0 when a process says that it can do its work, for container health checks."""

import sys
import urllib.error
import urllib.request

URL = "http://127.0.0.1:8000/health/self"


def main() -> int:
    url = sys.argv[1] if len(sys.argv) > 1 else URL
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - the address is the caller's own
            return 0 if answer.status == 200 else 1
    except urllib.error.HTTPError as error:
        print(error.read().decode(errors="replace"), file=sys.stderr)  # noqa: T201 - a command
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command
    return 1


if __name__ == "__main__":
    sys.exit(main())
