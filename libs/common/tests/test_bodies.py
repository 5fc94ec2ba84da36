"""Bodies as clients send them, and as attackers do."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from common.api import create_api
from common.bodies import body, nest, read_fields
from common.settings import SharedSettings
from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
LIMIT = 20_000


class NewThing(BaseModel):
    name: str = Field(max_length=10)
    ids: list[int] = []


def routes() -> APIRouter:
    router = APIRouter()

    @router.post("/fields")
    async def fields(request: Request) -> dict[str, Any]:
        found = await read_fields(request)
        return {name: f"file {value.filename}" if isinstance(value, UploadFile) else value for name, value in found.items()}

    @router.post("/things")
    async def things(thing: NewThing = Depends(body(NewThing))) -> NewThing:
        return thing

    return router


@pytest.fixture
async def client(shared_settings: SharedSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_api("posts", shared_settings, [routes()], max_body=LIMIT)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://posts") as made:
        yield made


async def fields(client: httpx.AsyncClient, content: bytes, kind: str) -> Any:
    return (await client.post("/fields", content=content, headers={"content-type": kind})).json()


async def test_the_three_kinds_of_body_mean_the_same(client: httpx.AsyncClient) -> None:
    expected = {"name": "été", "ids": ["1", "2"], "poll": {"options": ["a", "b"]}}
    pairs: Any = [("name", "été"), ("ids[]", "1"), ("ids[]", "2"), ("poll[options][]", "a"), ("poll[options][]", "b")]
    assert (await client.post("/fields", json=expected)).json() == expected
    assert await fields(client, str(httpx.QueryParams(pairs)).encode(), FORM) == expected
    parts: Any = [(name, (None, value)) for name, value in pairs]
    assert (await client.post("/fields", files=parts)).json() == expected


def test_a_name_that_comes_again_begins_the_next_of_a_list() -> None:
    pairs = [("a[][id]", "1"), ("a[][gone]", "true"), ("a[][id]", "2"), ("a[][deep][er]", "x"), ("b[0][id]", "3"), ("b[1][id]", "4")]
    assert nest(pairs) == {
        "a": [{"id": "1", "gone": "true"}, {"id": "2", "deep": {"er": "x"}}],
        "b": {"0": {"id": "3"}, "1": {"id": "4"}},
    }
    assert nest([("a[]", "1"), ("a[][b]", "2"), ("a[]", "3")]) == {"a": ["1", {"b": "2"}, "3"]}


async def test_the_query_adds_to_the_body_and_the_body_wins(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fields?a=query&b=query", json={"a": "body"})
    assert answer.json() == {"a": "body", "b": "query"}


async def test_files_arrive_and_an_empty_file_field_does_not(client: httpx.AsyncClient) -> None:
    content = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: image/png\r\n\r\n%s\r\n' % part
        for part in ((b"file", b"a.png", b"x"), (b"avatar", b"", b""))
    )
    assert await fields(client, content + b"--x--\r\n", "multipart/form-data; boundary=x") == {"file": "file a.png"}


async def test_no_body_is_no_fields(client: httpx.AsyncClient) -> None:
    for kind in ("application/json", FORM, "text/plain", ""):
        assert await fields(client, b"  ", kind) in ({}, {"  ": ""})


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/json", b"{not json"),
        ("application/json", b"[1]"),
        ("application/json", b"1"),
        ("application/json", b'"text"'),
        ("application/json", b'{"a":"\xff"}'),
        ("application/json", b"[" * 10_000),
        ("application/json", b'{"a":' * 3_000 + b"1" + b"}" * 3_000),
        ("application/json", b'{"a":' + b"9" * 10_000 + b"}"),
        (FORM, b"a[b][c][d][e][f]=1"),
        (FORM, b"&".join(b"a%d=1" % number for number in range(300))),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nno headers"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b"".join(b'--x\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n1\r\n' % n for n in range(300)) + b"--x--\r\n",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else value[:24].decode("latin-1"),
)
async def test_a_broken_body_is_the_callers_fault(client: httpx.AsyncClient, kind: str, content: bytes) -> None:
    answer = await client.post("/fields", content=content, headers={"content-type": kind})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize("kind", [f"{FORM}; charset=nonsense", "multipart/form-data; boundary=x; charset=nonsense"])
async def test_a_charset_that_nobody_knows_breaks_nothing(client: httpx.AsyncClient, kind: str) -> None:
    content = b"a=%ff" if kind.startswith(FORM) else b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n'
    answer = await client.post("/fields", content=content, headers={"content-type": kind})
    assert answer.status_code in (200, 400, 422)


@pytest.mark.parametrize("kind", ["application/json", FORM])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_above_the_limit_is_too_large_told_beforehand_or_not(client: httpx.AsyncClient, kind: str, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * (LIMIT // 5)

    content: Any = pieces() if chunked else b" " * (2 * LIMIT)
    answer = await client.post("/fields", content=content, headers={"content-type": kind})
    assert answer.status_code == 413
    assert answer.json()["error"]


async def test_what_the_model_refuses_is_named_and_not_repeated(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", json={"name": "a secret that is too long", "ids": ["x"]})
    assert answer.status_code == 422
    assert {"name: ", "ids.0: "} <= {part for part in ("name: ", "ids.0: ") if part in answer.json()["error"]}
    assert "secret" not in answer.text


async def test_half_a_character_is_no_text(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things", content=b'{"name":"\\ud800"}', headers={"content-type": "application/json"})
    assert answer.status_code == 422


names = st.lists(st.sampled_from(["a", "b", "", "[", "]", "[]", "[a]", "[b]", "[0]"]), max_size=6).map("".join)


@given(st.lists(st.tuples(names, st.text(max_size=3)), max_size=8))
def test_no_combination_of_names_breaks_it(items: list[tuple[str, str]]) -> None:
    try:
        nested = nest(items)
    except RequestValidationError:
        return
    assert isinstance(nested, dict)


@given(st.dictionaries(st.text("abc", min_size=1), st.lists(st.text(), min_size=1), max_size=5))
def test_plain_lists_come_back_whole(lists: dict[str, list[str]]) -> None:
    assert nest([(f"{name}[]", value) for name, values in lists.items() for value in values]) == lists


@pytest.mark.parametrize(
    ("kind", "content"), [("application/json", b'{"a": 1%s}' % (b"0" * 40)), ("application/json", b'{"a": "\\ud800"}')]
)
async def test_what_could_not_be_sent_on_is_refused_or_made_sendable(client: httpx.AsyncClient, kind: str, content: bytes) -> None:
    answer = await client.post("/fields", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.json()) in (
        (200, {"a": 1e40}),
        (422, {"error": "Validation failed: body: not valid JSON", "code": "validation_failed"}),
    )
    orjson.dumps(answer.json())


async def test_a_form_that_is_none_is_refused_outside_of_an_application_too() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"--x\r\nContent-Disposition\xc2: form-data\r\n", "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    with pytest.raises(RequestValidationError, match="Invalid multipart data"):
        await read_fields(Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive))
