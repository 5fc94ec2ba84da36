import asyncio
import io
from typing import Any

import httpx
import pytest
from common.db import Database
from common.testing.identities import TestIdentities
from PIL import Image
from sqlalchemy import text

pytestmark = pytest.mark.anyio


def png(width: int = 60, height: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "PNG")
    return out.getvalue()


async def publish(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/statuses", json={"status": "hello", **fields})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def outbox_types(database: Database) -> list[str]:
    async with database.sessions() as session:
        return list((await session.scalars(text("SELECT type FROM outbox ORDER BY id"))).all())


async def test_a_post_is_committed_with_its_event(client: httpx.AsyncClient, database: Database) -> None:
    made = await publish(client, status="Hello **World** #New", language="en")
    event = made["event"]
    assert event["post_id"] == int(made["post_id"])
    assert (event["version"], event["author_id"], event["author_username"], event["visibility"]) == (1, 1, "ada", "public")
    assert event["tags"] == [{"name": "new", "display": "New"}]
    assert await outbox_types(database) == ["post.published"]


async def test_forms_work_as_well_as_json(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/statuses", data={"status": "from a form", "visibility": "unlisted", "in_reply_to_id": ""})
    assert answer.json()["event"]["visibility"] == "unlisted"


async def test_the_same_key_makes_one_post_even_at_the_same_time(client: httpx.AsyncClient, database: Database) -> None:
    async def once() -> httpx.Response:
        return await client.post("/api/v1/statuses", json={"status": "only once"}, headers={"Idempotency-Key": "k1"})

    answers = await asyncio.gather(*(once() for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["post_id"] for answer in answers}) == 1
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * 5
    assert await outbox_types(database) == ["post.published"]


@pytest.mark.parametrize("more", [{"status": "something else"}, {"visibility": "private"}, {"in_reply_to_id": "1"}])
async def test_a_key_that_comes_with_another_post_is_refused_and_the_first_stays(client: httpx.AsyncClient, more: dict[str, str]) -> None:
    headers, said = {"Idempotency-Key": "k3"}, {"status": "said first"}
    first = await client.post("/api/v1/statuses", json=said, headers=headers)
    other = await client.post("/api/v1/statuses", json=said | more, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    again = await client.post("/api/v1/statuses", json=said, headers=headers)
    assert (again.json()["post_id"], again.json()["repeated"]) == (first.json()["post_id"], True)


async def test_a_refused_post_leaves_its_key_free(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k2"}
    refused = await client.post("/api/v1/statuses", json={"status": "x", "media_ids": ["12345"]}, headers=headers)
    assert refused.status_code == 422
    accepted = await client.post("/api/v1/statuses", json={"status": "x"}, headers=headers)
    assert accepted.json()["repeated"] is False


async def test_an_empty_post_is_told_what_is_wrong(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/statuses", json={"status": " "})
    assert answer.status_code == 422
    assert answer.json() == {"error": "Validation failed: Text can't be blank", "code": "empty_post"}


async def test_nobody_posts_without_an_account_or_scope(client: httpx.AsyncClient, identities: TestIdentities) -> None:
    client.headers.pop("x-microblog-identity")
    assert (await client.post("/api/v1/statuses", json={"status": "x"})).status_code == 401
    reading = identities.headers("posts", scopes=frozenset({"read"}))
    assert (await client.post("/api/v1/statuses", json={"status": "x"}, headers=reading)).status_code == 403
    elsewhere = identities.headers("social")
    assert (await client.post("/api/v1/statuses", json={"status": "x"}, headers=elsewhere)).status_code == 401


async def test_an_edit_keeps_what_was_said(client: httpx.AsyncClient, database: Database) -> None:
    post_id = (await publish(client, status="frist"))["post_id"]
    edited = (await client.put(f"/api/v1/statuses/{post_id}", json={"status": "first"})).json()["event"]
    assert (edited["version"], edited["html"]) == (2, "<p>first</p>")
    assert edited["edited_at"] is not None
    history = (await client.get(f"/api/v1/statuses/{post_id}/history")).json()
    assert [entry["content"] for entry in history] == ["<p>frist</p>", "<p>first</p>"]
    assert (await client.get(f"/api/v1/statuses/{post_id}/source")).json()["text"] == "first"
    assert await outbox_types(database) == ["post.published", "post.edited"]


async def test_an_edit_that_changes_nothing_is_no_edit(client: httpx.AsyncClient, database: Database) -> None:
    post_id = (await publish(client, status="same", language="en"))["post_id"]
    event = (await client.put(f"/api/v1/statuses/{post_id}", json={"status": "same", "language": "en"})).json()["event"]
    assert event["version"] == 1
    assert await outbox_types(database) == ["post.published"]


async def test_others_can_neither_read_the_source_nor_change_or_delete(client: httpx.AsyncClient, identities: TestIdentities) -> None:
    post_id = (await publish(client))["post_id"]
    bob = identities.headers("posts", account_id=2, name="bob")
    assert (await client.get(f"/api/v1/statuses/{post_id}/source", headers=bob)).status_code == 404
    assert (await client.put(f"/api/v1/statuses/{post_id}", json={"status": "mine"}, headers=bob)).status_code == 404
    assert (await client.delete(f"/api/v1/statuses/{post_id}", headers=bob)).status_code == 404


async def test_a_deleted_post_gives_its_source_back_and_is_gone(client: httpx.AsyncClient, database: Database) -> None:
    post_id = (await publish(client, status="oops"))["post_id"]
    removed = (await client.delete(f"/api/v1/statuses/{post_id}")).json()
    assert removed["text"] == "oops"
    assert (removed["event"]["deleted"], removed["event"]["version"], removed["event"]["html"]) == (True, 2, "")
    assert (await client.delete(f"/api/v1/statuses/{post_id}")).status_code == 404
    async with database.sessions() as session:
        assert await session.scalar(text("SELECT source || html || plain FROM posts")) == ""


async def test_a_picture_is_written_anew_and_attached(client: httpx.AsyncClient) -> None:
    uploaded = await client.post("/api/v2/media", files={"file": ("a.png", png(), "image/png")}, data={"description": "teal"})
    assert uploaded.status_code == 200, uploaded.text
    media = uploaded.json()
    assert media["meta"]["original"]["size"] == "60x40"
    assert media["description"] == "teal"
    served = await client.get(media["url"].removeprefix("https://microblog.example"))
    assert served.headers["content-type"] in ("image/png", "image/jpeg")
    assert served.headers["x-content-type-options"] == "nosniff"
    event = (await publish(client, status="", media_ids=[media["id"]]))["event"]
    assert [picture["media_id"] for picture in event["media"]] == [int(media["id"])]
    again = await client.post("/api/v1/statuses", json={"status": "again", "media_ids": [media["id"]]})
    assert again.json()["code"] == "unknown_media"


async def test_metadata_does_not_survive(client: httpx.AsyncClient) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    out = io.BytesIO()
    Image.new("RGB", (30, 30), "red").save(out, "JPEG", exif=exif)
    media = (await client.post("/api/v2/media", files={"file": ("a.jpg", out.getvalue(), "image/jpeg")})).json()
    served = await client.get(media["url"].removeprefix("https://microblog.example"))
    assert b"taken at home" in out.getvalue()
    assert b"taken at home" not in served.content


@pytest.mark.parametrize("content", [b"", b"not a picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", png()[:80]])
async def test_what_is_no_picture_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/api/v2/media", files={"file": ("a.png", content, "image/png")})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_image")


async def test_anothers_picture_cannot_be_taken(client: httpx.AsyncClient, identities: TestIdentities) -> None:
    media = (await client.post("/api/v2/media", files={"file": ("a.png", png(), "image/png")})).json()
    bob = identities.headers("posts", account_id=2, name="bob")
    assert (await client.get(f"/api/v1/media/{media['id']}", headers=bob)).status_code == 404
    taken = await client.post("/api/v1/statuses", json={"status": "x", "media_ids": [media["id"]]}, headers=bob)
    assert taken.status_code == 422


async def test_an_id_that_is_none_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/statuses/abc/source")).status_code == 404
    assert (await client.get(f"/api/v1/statuses/{1 << 70}/source")).status_code == 404
