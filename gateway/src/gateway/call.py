"""A client's call as composed routes see it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from common.bodies import read_fields
from common.identity import Identity
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls what: path values, raw query, headers (names in lower case), whole body, client's address."""

    method: str
    path: str
    query: str
    values: dict[str, str]
    headers: dict[str, str]
    body: bytes
    identity: Identity
    ip: str
    token: str | None = None

    @property
    def params(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.params if key == name), default)

    def number(self, name: str, default: int, most: int, least: int = 1) -> int:
        """A count in the query, within its bounds; what is no number counts as not given."""
        value = self.param(name)
        return max(least, min(int(value), most)) if value.isascii() and value.isdigit() and len(value) < 10 else default

    async def fields(self) -> dict[str, Any]:
        """Body and query as one mapping, from JSON or a form without files; raises `RequestValidationError`."""
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}

        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        scope = {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "query_string": self.query.encode("latin-1"),
            "headers": headers,
        }
        found = await read_fields(Request(scope, receive))
        _refuse_files(found)
        return found


def _refuse_files(value: Any, place: tuple[str | int, ...] = ("body",)) -> None:
    """Raise `RequestValidationError` for an upload where only text can be meant: it couldn't be sent on as JSON."""
    if isinstance(value, UploadFile):
        raise RequestValidationError([{"type": "string_type", "loc": place, "msg": "should be text, not a file", "input": None}])
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inside:
        _refuse_files(part, (*place, name))
