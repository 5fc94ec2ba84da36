"""Each service by itself answers in words whatever it is asked, the routes included that only the gateway calls.

It runs on a database of its own, so that what is made up stays away from everybody else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from common.bodies import described
from common.db import Database
from common.events import AccountState, NoticeTrigger, PostState
from common.identity import generate_key
from common.ids import first_id_at
from common.testing.identities import TestIdentities
from fakes.server import serving
from fakes.translator import FakeTranslator
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from fuzzing import EXAMPLES, Asker, add_queries
from notify.projections import apply_notice
from pydantic import BaseModel
from schemathesis import GenerationMode
from search.confirming import Confirmer
from search.feeding import Feeder
from search.index import Index, client
from sqlalchemy.ext.asyncio import AsyncSession
from stack import picture
from translate.projections import apply_posts

NAMES: Final = ("auth", "posts", "social", "search", "notify", "translate")
SECRET: Final = "a secret of at least 32 characters"
ADA: Final = 1
BOB: Final = 2
NOW: Final = datetime.now(UTC)
POST: Final = first_id_at(NOW)
QUERIES: Final = {
    "notify": {"/api/v1/markers": "timeline[]", "/internal/notifications": "types[] exclude_types[] account_id"},
    "social": {
        "/api/v1/accounts/familiar_followers": "id[]",
        "/api/v1/accounts/relationships": "id[]",
        "/api/v1/accounts/{account_id}/statuses": "pinned tagged only_media exclude_replies exclude_reblogs",
        "/api/v1/timelines/public": "local remote only_media",
        "/internal/find": "following",
    },
}
"""What handlers read from the query of GET by themselves."""


class Hook(BaseModel):
    """What Postmark tells."""

    RecordType: str
    Email: str | None = None
    Inactive: bool | None = None
    SuppressSending: bool | None = None


BODIES: Final[dict[str, dict[str, type[BaseModel]]]] = {
    "notify": {"/webhooks/postmark": Hook},
    "social": {"/internal/carried/posts": PostState},
}
"""What handlers of POST read as JSON by themselves."""

pytestmark = pytest.mark.slow


@dataclass
class Service:
    """One that runs, and who asks it."""

    name: str
    url: str
    identities: TestIdentities
    document: dict[str, Any]
    person_id: int = ADA
    things: dict[str, str] = field(default_factory=dict)
    """Ids of what is there, by the beginning of the paths that ask for it."""

    def person(self, named: str = "") -> dict[str, str]:
        """Somebody who may do everything, administer too; signed anew, since a signature lasts a minute."""
        return self.identities.headers(self.name, self.person_id, "ada", role="admin") | {"x-webhook-secret": SECRET}

    def gateway(self, named: str = "") -> dict[str, str]:
        return self.identities.gateway(self.name)

    def ask(self, who: Callable[[], dict[str, str]], method: str, path: str, **more: Any) -> Any:
        """The JSON of an answer that must be a good one."""
        answer = requests.request(method, f"{self.url}{path}", headers=who(), timeout=20, **more)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


@pytest.fixture(scope="module", params=NAMES)
def service(
    request: pytest.FixtureRequest,
    new_database_url: Callable[[str], str],
    identities: TestIdentities,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """One after the other, each with something in it."""
    name, folder, translator = str(request.param), tmp_path_factory.mktemp("fuzz"), FakeTranslator()
    database_url = "" if name == "search" else new_database_url(name)
    elasticsearch_url = request.getfixturevalue("elasticsearch_url") if name == "search" else ""
    with serving(translator.app()) as translator_url, pytest.MonkeyPatch.context() as patch:
        for variable, value in settings(database_url, elasticsearch_url, translator_url, folder, identities).items():
            patch.setenv(variable, value)
        app = import_module(f"{name}.main").create_app()
        with serving(app, lifespan="on") as url:
            made = Service(name, url, identities, document(app, name))
            FURNISH[name](made, database_url or elasticsearch_url)
            yield made


def settings(database_url: str, elasticsearch_url: str, translator_url: str, folder: Path, identities: TestIdentities) -> dict[str, str]:
    """For whichever service it is; nobody is throttled."""
    databases = {f"{name.upper()}_DATABASE_URL": database_url for name in NAMES}
    return databases | {
        "MICROBLOG_IDENTITY_KEYS": identities.jwks,
        "MICROBLOG_PUBLIC_URL": "https://microblog.example",
        "AUTH_SECRET": SECRET,
        "AUTH_ARGON2_MEMORY_KIB": "8",
        "AUTH_ARGON2_TIME": "1",
        "AUTH_THROTTLES": "false",
        "AUTH_PASSWORD_GRANT": "true",
        "POSTS_MEDIA_URL": f"file://{folder}/posts",
        "SOCIAL_MEDIA_URL": f"file://{folder}/social",
        "SEARCH_ELASTICSEARCH_URL": elasticsearch_url,
        "NOTIFY_AUTH_URL": "http://127.0.0.1:1",
        "NOTIFY_SIGNING_KEY": generate_key("notify")[0],
        "NOTIFY_UNSUBSCRIBE_SECRET": SECRET,
        "NOTIFY_MAIL_FOLDER": f"{folder}/mail",
        "NOTIFY_POSTMARK_WEBHOOK_SECRET": SECRET,
        "TRANSLATE_PROVIDER": "microsoft",
        "TRANSLATE_MICROSOFT_KEY": FakeTranslator.key,
        "TRANSLATE_MICROSOFT_ENDPOINT": translator_url,
    }


def document(app: FastAPI, name: str) -> dict[str, Any]:
    """What a service says of itself, and what it hides."""
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    endpoints = [route for route in routes if isinstance(route, APIRoute)]
    with pytest.MonkeyPatch.context() as patch:
        for route in endpoints:
            patch.setattr(route, "include_in_schema", True)
        found = get_openapi(title=name, version="1", routes=endpoints)
    for path, names in QUERIES.get(name, {}).items():
        add_queries(found, path, names)
    for path, model in BODIES.get(name, {}).items():
        content = described(model)["requestBody"]["content"]
        found["paths"][path]["post"]["requestBody"] = {"content": {"application/json": content["application/json"]}}
    return found


def furnish_auth(service: Service, url: str) -> None:
    new = {"username": "ada", "email": "ada@people.example", "password": "correct horse battery", "agreement": True}
    service.person_id = service.ask(service.gateway, "POST", "/internal/registrations", json=new)["event"]["account_id"]
    app = service.ask(dict, "POST", "/api/v1/apps", json={"client_name": "an app", "redirect_uris": "https://client.example/"})
    service.things = {"/internal/apps/": app["client_id"]}


def furnish_posts(service: Service, url: str) -> None:
    post = service.ask(service.person, "POST", "/api/v1/statuses", json={"status": "hello", "language": "en"})
    media = service.ask(service.person, "POST", "/api/v2/media", files={"file": ("p.jpg", picture())})
    service.things = {"/api/v1/statuses/": post["post_id"], "/api/v1/media/": media["id"], "/media/posts/": media["url"].rsplit("/", 1)[1]}


def furnish_social(service: Service, url: str) -> None:
    for account_id, name in ((ADA, "ada"), (BOB, "bob")):
        account = AccountState(account_id=account_id, version=1, username=name, created_at=NOW)
        service.ask(service.gateway, "POST", "/internal/carried/accounts", json=account.model_dump(mode="json"))
    poll = {"options": ["one", "other"], "expires_at": NOW.replace(year=NOW.year + 1)}
    told: list[dict[str, Any]] = [
        {"author_id": BOB},
        {"author_id": BOB, "poll": poll},
        {"author_id": ADA, "visibility": "direct", "usernames": ["bob"]},
    ]
    for post_id, more in enumerate(told, POST):
        same = {"version": 1, "created_at": NOW, "html": "<p>tea</p>", "plain": "tea", "conversation_id": post_id}
        post = PostState(post_id=post_id, **same, **more)
        service.ask(service.gateway, "POST", "/internal/carried/posts", json=post.model_dump(mode="json"))
    keywords = [{"keyword": "tea"}, {"keyword": "coffee"}]
    new = {"title": "drinks", "context": ["home"], "keywords_attributes": keywords}
    made = service.ask(service.person, "POST", "/api/v2/filters", json=new)
    kept = service.ask(service.person, "POST", f"/api/v2/filters/{made['id']}/statuses", json={"status_id": POST})
    listed = service.ask(service.person, "POST", "/api/v1/lists", json={"title": "friends"})["id"]
    conversations = service.ask(service.person, "GET", "/api/v1/conversations")
    service.things = {
        "/api/v1/accounts/": str(BOB),
        "/api/v1/conversations/": conversations[0]["id"],
        "/api/v1/filters/": made["keywords"][1]["id"],
        "/api/v1/lists/": listed,
        "/api/v1/polls/": str(POST + 1),
        "/api/v1/statuses/": str(POST),
        "/api/v1/timelines/list/": listed,
        "/api/v2/filters/keywords/": made["keywords"][0]["id"],
        "/api/v2/filters/statuses/": kept["id"],
        "/api/v2/filters/": made["id"],
        "/internal/conversations/": conversations[0]["id"],
        "/internal/guard/": str(POST),
    }


def furnish_search(service: Service, url: str) -> None:
    async def feed() -> None:
        elastic = client(url, None)
        index = Index(elastic)
        await index.clear()
        post = PostState(post_id=POST, version=1, author_id=ADA, author_username="ada", created_at=NOW, plain="tea")
        await Feeder(index, "127.0.0.1:1", Confirmer(index)).apply([post])
        await elastic.close()

    asyncio.run(feed())


def furnish_notify(service: Service, url: str) -> None:
    who = {"account_id": ADA, "actor_id": BOB, "actor_username": "bob", "actor_name": "Bob"}
    notice = NoticeTrigger(dedupe="follow:2:0", kind="follow", happened_at=NOW, **who)
    change(url, lambda session: apply_notice(session, notice))
    announced = service.ask(service.person, "POST", "/api/v1/admin/announcements", json={"text": "news"})["id"]
    (found,) = service.ask(service.person, "GET", "/internal/notifications")["notifications"]
    service.things = {
        "/api/v1/admin/announcements/": announced,
        "/api/v1/announcements/": announced,
        "/api/v1/notifications/": found["id"],
        "/internal/notifications/": found["id"],
    }


def furnish_translate(service: Service, url: str) -> None:
    post = PostState(post_id=POST, version=1, author_id=ADA, created_at=NOW, html="<p>tea</p>", plain="tea", language="en")
    change(url, lambda session: apply_posts(session, [post]))
    service.things = {"/api/v1/statuses/": str(POST)}


def change(url: str, work: Callable[[AsyncSession], Awaitable[Any]]) -> None:
    """What a worker would do in a transaction."""

    async def done() -> None:
        database = Database(url)
        async with database.transaction() as session:
            await work(session)
        await database.close()

    asyncio.run(done())


FURNISH: Final[dict[str, Callable[[Service, str], None]]] = {
    "auth": furnish_auth,
    "posts": furnish_posts,
    "social": furnish_social,
    "search": furnish_search,
    "notify": furnish_notify,
    "translate": furnish_translate,
}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_whatever_a_service_is_asked_is_answered_in_words(service: Service, mode: GenerationMode) -> None:
    everything = [(path, method) for path, methods in service.document["paths"].items() for method in methods]
    hidden = [(path, method) for path, method in everything if path.startswith("/internal/")]
    assert hidden
    with requests.Session() as session:
        by_person = Asker(service.url, session, service.things, service.person)
        by_person.ask_all(service.document, everything, mode)
        by_gateway = Asker(service.url, session, service.things, service.gateway)
        by_gateway.ask_all(service.document, hidden, mode)
    assert by_person.found | by_gateway.found == {}
    assert by_person.asked >= EXAMPLES
