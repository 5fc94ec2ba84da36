"""Whatever anybody sends is answered in words: schemathesis makes requests from the document of the API, as it allows them and as it doesn't."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from fuzzing import EXAMPLES, Asker, add_queries
from schemathesis import GenerationMode
from stack import Person, Stack, picture

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "gateway/src/gateway/openapi.json"
NAMES: Final = ("auth", "gateway", "notify", "posts", "search", "social", "translate")
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

pytestmark = pytest.mark.slow


def document() -> dict[str, Any]:
    """The committed document and `QUERIES`."""
    found: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
    for path, names in QUERIES.items():
        add_queries(found, path, names)
    return found


@pytest.fixture(scope="module")
def person(stack: Stack) -> Person:
    return stack.new_person("fuzz")


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


@pytest.fixture
def asker(stack: Stack, person: Person, things: dict[str, str]) -> Iterator[Asker]:
    """An app registers people; a person with all scopes does all else."""
    _, app = stack.app_token()
    with requests.Session() as session:
        tokens = {"POST /api/v1/accounts": app}
        yield Asker(stack.url, session, things, lambda named: {"Authorization": f"Bearer {tokens.get(named, person.token)}"})


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("service", NAMES)
def test_whatever_is_sent_is_answered_in_words(asker: Asker, service: str, mode: GenerationMode) -> None:
    whole = document()
    mine = [(path, method) for path, methods in whole["paths"].items() for method, about in methods.items() if about["tags"] == [service]]
    asker.ask_all(whole, mine, mode)
    assert asker.found == {}
    assert asker.asked >= EXAMPLES
