"""What tests with schemathesis share: requests made up from a document, as it allows them and as it doesn't, and what is wrong with an answer."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode, openapi

EXAMPLES: Final = 15
"""For each operation and way: 4,000 requests in all to the gateway, a good minute. With sixty (16,000 requests) nothing else was found."""
_PART: Final = re.compile(r"\{(\w+)\}")

bounded: Final = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def add_queries(document: dict[str, Any], path: str, names: str) -> None:
    """Have a document say what the handler of GET reads from the query by itself."""
    told = [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in names.split()]
    asked = document["paths"][path]["get"]
    known = {parameter["name"] for parameter in asked.get("parameters", [])}
    asked["parameters"] = [*asked.get("parameters", []), *(parameter for parameter in told if parameter["name"] not in known)]


def complaint(answer: requests.Response) -> str | None:
    """What is wrong with an answer; nothing with a success, and with a refusal that says in the API's form what is wrong with the request."""
    status = answer.status_code
    if status >= 500:
        return f"{status}: {answer.text[:300]}"
    if status < 400:
        return None
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return f"{status} as {answer.headers.get('content-type')}"
    told = answer.json()
    return None if isinstance(told, dict) and isinstance(told.get("error"), str) and told["error"] else f"{status}: {answer.text[:300]}"


class Asker:
    """Sends what schemathesis makes up, and keeps what was answered badly: by operation and answer, the first request.

    `things` are ids of what is there, by the beginning of the paths that ask for it; `headers` gives, for an operation (`GET /path`),
    those that say who asks.
    """

    def __init__(self, url: str, session: requests.Session, things: Mapping[str, str], headers: Callable[[str], dict[str, str]]) -> None:
        self.asked = 0
        self.found: dict[str, str] = {}
        self._url = url
        self._session = session
        self._things = things
        self._headers = headers

    def ask_all(self, document: dict[str, Any], operations: list[tuple[str, str]], mode: GenerationMode) -> None:
        """Ask operations (path and method) of the document often; what is there stays until the end."""
        schema = openapi.from_dict(document)
        for path, method in sorted(operations, key=lambda named: (named[1] == "delete", -named[0].count("/"))):
            self._ask_often(schema[path][method.upper()], mode)

    def _ask_often(self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
        """What is allowed is asked of what is there, lest nearly all be answered with 404."""
        thing = next((an_id for prefix, an_id in self._things.items() if operation.path.startswith(prefix)), None)
        allowed, names = mode is GenerationMode.POSITIVE, _PART.findall(operation.path)
        place = {"path_parameters": {names[0]: thing}} if thing and allowed and len(names) == 1 else {}
        try:
            given(operation.as_strategy(generation_mode=mode, **place))(bounded(lambda case: self._ask(case)))()
        except Unsatisfiable:  # where nothing may be sent, nothing can be wrong with it
            assert not allowed

    def _ask(self, case: Case) -> None:
        named = f"{case.method} {case.path}"
        sent = case.as_transport_kwargs(base_url=self._url)
        # Not a token that was made up: nearly everything would be answered with 401.
        headers = {name: value for name, value in sent.pop("headers").items() if name.lower() != "authorization"}
        answer = self._session.request(**sent, headers=headers | self._headers(named), timeout=20, allow_redirects=False)
        self.asked += 1
        problem = complaint(answer)
        if problem is not None:
            self._session.close()  # after a failure the server does so, too
            self.found.setdefault(f"{named} {problem}", str({part: value for part, value in sent.items() if value})[:500])
