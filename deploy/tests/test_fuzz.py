"""Whatever anybody sends is answered in words: schemathesis makes requests from the document of the API, as it allows them and as it doesn't."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode, openapi
from stack import Person, Stack, picture

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "gateway/src/gateway/openapi.json"
NAMES: Final = ("auth", "gateway", "notify", "posts", "search", "social", "translate")
EXAMPLES: Final = 15
"""For each operation and way: 4,000 requests in all, a good minute. With sixty (16,000 requests) nothing else was found."""
QUERIES: Final = {
    "/.well-known/webfinger": "resource",
    "/api/v1/accounts": "id[]",
    "/api/v1/accounts/familiar_followers": "id[]",
    "/api/v1/accounts/relationships": "id[]",
    "/api/v1/accounts/{id}/statuses": "pinned tagged only_media exclude_replies exclude_reblogs",
    "/api/v1/lists/{id}/accounts": "limit",
    "/api/v1/markers": "timeline[]",
    "/api/v1/notifications": "limit max_id min_id since_id types[] exclude_types[] account_id",
    "/api/v1/statuses": "id[]",
    "/api/v1/timelines/public": "local remote only_media",
    "/api/v2/search": "q type limit offset following account_id max_id min_id resolve",
}
"""What is read from the query of GET by the handlers themselves, and so is in no document."""

bounded: Final = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

pytestmark = pytest.mark.slow


def document() -> dict[str, Any]:
    """The committed document and `QUERIES`."""
    found: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
    for path, names in QUERIES.items():
        told = [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in names.split()]
        asked = found["paths"][path]["get"]
        known = {parameter["name"] for parameter in asked.get("parameters", [])}
        asked["parameters"] = [*asked.get("parameters", []), *(parameter for parameter in told if parameter["name"] not in known)]
    return found


@pytest.fixture(scope="module")
def person(stack: Stack) -> Person:
    return stack.new_person("fuzz")


@pytest.fixture
def door(stack: Stack, person: Person) -> Iterator[requests.Session]:
    """One connection, as a person with all scopes."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {person.token}"
        yield session


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
    """Sends what schemathesis makes up, and keeps what was answered badly: by operation and answer, the first request."""

    def __init__(self, stack: Stack, session: requests.Session, things: dict[str, str]) -> None:
        self.asked = 0
        self._things = things
        self.found: dict[str, str] = {}
        self._stack = stack
        self._session = session
        _, app = stack.app_token()
        self._registers = {"Authorization": f"Bearer {app}"}

    def ask(self, case: Case) -> None:
        named = f"{case.method} {case.path}"
        sent = case.as_transport_kwargs(base_url=self._stack.url)
        # Not a token that was made up: nearly everything would be answered with 401. An app registers people, a person does all else.
        headers = {name: value for name, value in sent.pop("headers").items() if name.lower() != "authorization"}
        headers |= self._registers if named == "POST /api/v1/accounts" else {}
        answer = self._session.request(**sent, headers=headers, timeout=20, allow_redirects=False)
        self.asked += 1
        problem = complaint(answer)
        if problem is not None:
            self.found.setdefault(f"{named} {problem}", str({part: value for part, value in sent.items() if value})[:500])

    def ask_often(self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
        """What is allowed is asked of what is there, lest nearly all be answered with 404."""
        thing = next((an_id for prefix, an_id in self._things.items() if operation.path.startswith(prefix)), None)
        allowed = mode is GenerationMode.POSITIVE
        place = {"path_parameters": {"id": thing}} if thing and allowed and "{id}" in operation.path else {}
        try:
            given(operation.as_strategy(generation_mode=mode, **place))(bounded(lambda case: self.ask(case)))()
        except Unsatisfiable:  # where nothing may be sent, nothing can be wrong with it
            assert not allowed


@pytest.fixture(scope="module")
def things(stack: Stack, person: Person) -> dict[str, str]:
    """Ids of what is there, by the beginning of the paths that ask for it."""
    friend, post = stack.new_person("fuzz"), person.post
    person.follow(friend)
    keywords = [{"keyword": "tea"}, {"keyword": "coffee"}]
    made = post("/api/v2/filters", title="drinks", context=["home"], keywords_attributes=keywords)
    listed = post("/api/v1/lists", title="friends")["id"]
    upload = person.client.post("/api/v2/media", files={"file": ("p.jpg", picture())})
    return {
        "/api/v1/accounts/": friend.id,
        "/api/v1/filters/": made["keywords"][1]["id"],
        "/api/v1/lists/": listed,
        "/api/v1/media/": upload.json()["id"],
        "/api/v1/polls/": friend.write("which?", poll={"options": ["one", "other"], "expires_in": 3600})["id"],
        "/api/v1/statuses/": person.write("what is asked about")["id"],
        "/api/v1/timelines/list/": listed,
        "/api/v2/filters/keywords/": made["keywords"][0]["id"],
        "/api/v2/filters/statuses/": post(f"/api/v2/filters/{made['id']}/statuses", status_id=friend.write("tea")["id"])["id"],
        "/api/v2/filters/": made["id"],
    }


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("service", NAMES)
def test_whatever_is_sent_is_answered_in_words(
    stack: Stack, door: requests.Session, things: dict[str, str], service: str, mode: GenerationMode
) -> None:
    whole = document()
    schema, asker = openapi.from_dict(whole), Asker(stack, door, things)
    mine = [(path, method) for path, methods in whole["paths"].items() for method, about in methods.items() if about["tags"] == [service]]
    for path, method in sorted(mine, key=lambda named: (named[1] == "delete", -named[0].count("/"))):  # what is there stays until the end
        asker.ask_often(schema[path][method.upper()], mode)
    assert asker.found == {}
    assert asker.asked >= EXAMPLES
