"""How we connect to PostgreSQL: so that both ends notice soon when the other is gone without a word.

A machine that lost its power or its network closes nothing. Left to the defaults of Linux, who waits for its answer waits for a quarter of an hour,
who listens to it two hours, and the server keeps the locks of a vanished client for as long: no other relay could take over.
"""

from typing import Final
from urllib.parse import quote

_OPTIONS: Final = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3 -c tcp_user_timeout=15000"
"""The server's side, in seconds, and in milliseconds (PostgreSQL, "Connections and Authentication"): a silent client's session ends."""

_PARAMETERS: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
"""Ours (libpq, "Parameter Key Words"): what was sent is acknowledged by the server's machine within 5 s, and an idle one is asked after 10 s."""


def address(url: str, options: str = "") -> str:
    """The URL with what makes a connection notice that the server is gone, and `options` for the session; what it says itself comes last and wins.

    Without effect on Unix sockets, whose ends know of each other.
    """
    base, _, query = url.partition("?")
    given = dict(part.partition("=")[::2] for part in query.split("&") if part)
    session = [quote(f"{_OPTIONS} {options}".strip()), *([given["options"]] if "options" in given else [])]
    return f"{base}?{'&'.join(f'{name}={value}' for name, value in {**_PARAMETERS, **given, 'options': '%20'.join(session)}.items())}"
