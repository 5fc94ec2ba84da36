"""Who somebody says they are, and who finds them."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from PIL import Image
from social.profiles.sweeping import sweep

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

CHANGE = "/api/v1/accounts/update_credentials"


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(out, "PNG")
    return out.getvalue()


async def change(world: "World", account_id: int, **more: Any) -> Any:
    answer = await world.client.patch(CHANGE, headers=world.headers(account_id), **more)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["error"])


async def test_what_a_picture_shows_is_told_until_another_takes_its_place(world: "World") -> None:
    (ada,) = await world.people("ada")
    files = {"avatar": ("a.png", picture(), "image/png"), "header": ("h.png", picture(), "image/png")}
    changed = await change(world, ada, files=files, data={"avatar_description": " a cat ", "header_description": "the sea"})
    assert (changed["avatar_description"], changed["header_description"]) == ("a cat", "the sea")
    assert (await change(world, ada, json={"avatar_description": "a black cat"}))["avatar_description"] == "a black cat"
    account = await world.show(f"/api/v1/accounts/{ada}")
    assert (account["avatar_description"], account["header_description"]) == ("a black cat", "the sea")
    changed = await change(world, ada, files={"avatar": ("b.png", picture(), "image/png")})
    assert (changed["avatar_description"], changed["header_description"]) == ("", "the sea")
    removed = await world.client.delete("/api/v1/profile/header", headers=world.headers(ada))
    assert removed.json()["header_description"] == ""


@pytest.mark.parametrize("kind", ["avatar", "header"])
async def test_a_description_that_is_too_long_changes_nothing_and_leaves_no_file(world: "World", kind: str, tmp_path: Path) -> None:
    (ada,) = await world.people("ada")
    files, told = {kind: ("a.png", picture(), "image/png")}, f"{kind.capitalize()} description is too long (maximum is 1500 characters)"
    refused = await change(world, ada, files=files, data={f"{kind}_description": "x" * 1501, "display_name": "New"})
    assert refused == (422, f"Validation failed: {told}")
    assert (await world.show(f"/api/v1/accounts/{ada}"))["display_name"] == "ada"
    assert [file for file in (tmp_path / "media").rglob("*") if file.is_file()] == []
    assert (await change(world, ada, files=files, data={f"{kind}_description": "x" * 1500}))[f"{kind}_description"] == "x" * 1500


async def test_pictures_that_nobody_shows_any_more_are_deleted(world: "World", app: FastAPI, tmp_path: Path) -> None:
    ada, bob = await world.people("ada", "bob")

    def files() -> int:
        return sum(file.is_file() for file in (tmp_path / "media").rglob("*"))

    for person in (ada, bob):
        await change(world, person, files={kind: ("a.png", picture(), "image/png") for kind in ("avatar", "header")})
    await change(world, ada, files={"avatar": ("b.png", picture(), "image/png")})
    assert files() == 5
    assert await sweep(world.database, app.state.media) == 1
    await world.client.delete("/api/v1/profile/header", headers=world.headers(ada))
    await world.account(bob, version=2, deleted=True)
    assert (await sweep(world.database, app.state.media), await sweep(world.database, app.state.media)) == (3, 0)
    assert files() == 1
    avatar = (await world.show(f"/api/v1/accounts/{ada}"))["avatar"].removeprefix("https://microblog.example")
    assert (await world.get(avatar)).headers["content-type"].startswith("image/")


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"fields_attributes": [{"name": "Web", "value": "example.org"}, {"name": "Tea", "value": "green"}]}},
        {"json": {"fields_attributes": {"0": {"name": "Web", "value": "example.org"}, "1": {"name": "Tea", "value": "green"}}}},
        {
            "data": {
                "fields_attributes[0][name]": "Web",
                "fields_attributes[0][value]": "example.org",
                "fields_attributes[1][name]": "Tea",
                "fields_attributes[1][value]": "green",
            }
        },
    ],
    ids=["array", "hash", "form"],
)
async def test_fields_come_as_clients_send_them(world: "World", body: dict[str, Any]) -> None:
    (ada,) = await world.people("ada")
    changed = await change(world, ada, **body)
    assert [(field["name"], field["value"]) for field in changed["source"]["fields"]] == [("Web", "example.org"), ("Tea", "green")]
    kept = await change(world, ada, json={"fields_attributes": None})
    assert kept["fields"] == (await change(world, ada, json={}))["fields"] != []
    assert (await change(world, ada, json={"fields_attributes": []}))["fields"] == []


async def test_switches_are_told_to_everybody_and_in_the_source(world: "World") -> None:
    (ada,) = await world.people("ada")
    switches = ("locked", "bot", "discoverable", "indexable", "hide_collections")
    for value in (True, False):
        changed = await change(world, ada, json=dict.fromkeys(switches, value))
        assert [changed[name] for name in switches] == [value] * 5
        assert [changed["source"][name] for name in switches[2:]] == [value] * 3
        assert (await world.show(f"/api/v1/accounts/{ada}"))["noindex"] is not value


async def test_people_are_found_by_the_beginning_of_a_name_the_exact_one_first_then_whom_one_follows(world: "World") -> None:
    ann, anna, annabel, hannah, ada = await world.people("ann", "anna", "annabel", "hannah", "ada")
    await change(world, hannah, json={"display_name": "Anne"})
    await world.follow(ada, annabel)
    await world.follow(ann, anna)

    async def found(query: str, viewer: int = ada, **more: Any) -> list[int]:
        return world.ids(await world.show("/api/v1/accounts/search", viewer, q=query, **more))

    assert await found("ann") == [ann, annabel, anna, hannah]
    assert await found("@AnnA") == [anna, annabel]
    assert await found("anna@microblog.example") == await found("@anna@microblog.example", resolve="true") == [anna]
    assert await found("anna@elsewhere.example", resolve="true") == []
    assert await found("ann", following="true") == [annabel]
    assert await found("ann", limit=1, offset=1) == [annabel]
    assert await found("ann_") == await found("a%") == await found("") == []


async def test_of_a_beginning_that_many_share_whom_one_follows_comes_first_then_who_is_followed_most(world: "World") -> None:
    ada = await world.person("ada")
    await world.run("""
        INSERT INTO profiles (account_id, username, created_at, shown, account_version, head)
        SELECT 100 + n, 'many' || to_char(n, 'FM0000'), now(), true, 1, convert_to('"id":"' || 100 + n || '"', 'utf8') FROM generate_series(1, 1200) n
    """)
    await world.follow(ada, 1250)
    headers = world.headers(ada)
    answer = await world.client.get("/internal/find", params={"q": "many", "type": "accounts", "limit": 2}, headers=headers)
    assert len(answer.json()["accounts"]) == 2
    assert world.ids(answer.json()["accounts"])[0] == 1250
    await world.run("INSERT INTO profile_counts (account_id, followers) VALUES (1290, 2), (1270, 3)")
    assert world.ids(await world.show("/api/v1/accounts/search", ada, q="many", limit=3)) == [1250, 1270, 1290]
    await world.run("INSERT INTO blocks (blocker_id, blocked_id) VALUES (1270, :ada)", ada=ada)
    assert world.ids(await world.show("/api/v1/accounts/search", ada, q="many", limit=3)) == [1250, 1290, 101]


async def test_the_directory_shows_who_wishes_to_be_found(world: "World") -> None:
    ada, bob, cleo, shy, blocked, muted = await world.people("ada", "bob", "cleo", "shy", "blocked", "muted")
    await change(world, shy, json={"discoverable": False})
    await world.did(f"accounts/{ada}/block", blocked)
    await world.did(f"accounts/{muted}/mute", ada)
    for author in (cleo, shy, blocked, muted, bob):
        await world.post(author)
    await world.run("UPDATE profile_counts SET last_status_on = '2020-01-01' WHERE account_id = :bob", bob=bob)

    async def listed(viewer: int, **query: Any) -> list[int]:
        return world.ids(await world.show("/api/v1/directory", viewer, **query))

    assert await listed(ada) == await listed(ada, order="active", local="true") == [cleo, bob]
    assert await listed(ada, order="new") == [cleo, bob, ada]
    assert await listed(0, order="new") == [muted, blocked, cleo, bob, ada]
    assert await listed(0, order="new", limit=2, offset=1) == [blocked, cleo]
    assert (await world.get("/api/v1/directory", ada, order="loud")).status_code == 422


async def test_posts_are_found_by_their_words_only_where_their_author_lets_everybody(world: "World") -> None:
    ada, reader, fan, named = await world.people("ada", "reader", "fan", "named")
    post = await world.post(ada, usernames=["named"])
    for deed in ("favourite", "reblog", "bookmark"):
        await world.did(f"statuses/{post.post_id}/{deed}", fan)
        await world.did(f"statuses/{post.post_id}/un{deed}", reader)

    async def finders(*, found: bool = True) -> set[int]:
        seen = set()
        for viewer in (ada, reader, fan, named, 0):
            wanted = {"statuses": [post.post_id], "found": found}
            answer = await world.client.post("/internal/render", json=wanted, headers=world.headers(viewer))
            seen |= {viewer} if answer.json()["statuses"] else set()
        return seen

    assert await finders() == {ada, reader, fan, named, 0}
    await change(world, ada, json={"indexable": False})
    assert await finders() == {ada, fan, named}
    assert await finders(found=False) == {ada, reader, fan, named, 0}


async def test_a_state_that_gives_a_name_to_a_second_account_is_refused_and_changes_nothing(world: "World") -> None:
    ada = await world.person("ada")
    world.names[ada + 1] = "ada"
    refused = await world.carry(world.account_state(ada + 1))
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert (await world.show("/api/v1/accounts/lookup", acct="ada"))["id"] == str(ada)
