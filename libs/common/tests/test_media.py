"""Files of strangers: found by their names only, never outside their folder, never as anything but pictures."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from common.api import create_api
from common.errors import NotFound
from common.media import MediaStore, media_router
from common.settings import SharedSettings

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A media folder beside a file that nobody may see."""
    (tmp_path / "secret.png").write_bytes(b"canary")
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


@pytest.fixture
def store(folder: Path) -> MediaStore:
    return MediaStore(f"file://{folder}")


@pytest.fixture
async def client(store: MediaStore, shared_settings: SharedSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_api("posts", shared_settings, [media_router("/media")])
    app.state.media = store
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://posts") as made:
        yield made


async def test_what_is_put_is_there_until_it_is_deleted(store: MediaStore) -> None:
    await store.put("ab/1.png", b"one")
    assert await store.get("ab/1.png") == b"one"
    await store.delete("ab/1.png", "ab/1.png", "never-there.png")
    with pytest.raises(NotFound):
        await store.get("ab/1.png")


async def test_what_is_kept_is_listed_without_what_is_not_ours(store: MediaStore, folder: Path) -> None:
    names = {f"ab/{number}.png" for number in range(120)}
    for name in names:
        await store.put(name, b"one")
    (folder / "a note.txt").touch()
    batches = [batch async for batch in store.names()]
    assert {name for batch in batches for name in batch} == names
    assert max(map(len, batches)) <= 50


async def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    await MediaStore(f"file://{tmp_path}/new/deep").put("1.png", b"one")
    assert (tmp_path / "new" / "deep" / "1.png").read_bytes() == b"one"


@pytest.mark.parametrize(("name", "kind"), [("1.png", "image/png"), ("ab/1.jpg", "image/jpeg"), ("1.svg", "image/svg+xml")])
async def test_files_are_served_as_pictures_and_nothing_else(client: httpx.AsyncClient, store: MediaStore, name: str, kind: str) -> None:
    await store.put(name, b"<script>alert(1)</script>")
    answer = await client.get(f"/media/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.png",
        "..%2fsecret.png",
        "%2e%2e/secret.png",
        "%2e%2e%2fsecret.png",
        "ab/..%2f..%2fsecret.png",
        "..%5csecret.png",
        "....//secret.png",
        "%2f{outside}",
        "%2f%2f{outside}",
        "file:%2f%2f{outside}",
        "%252e%252e%252fsecret.png",
        "%00.png",
        "1.png%00",
        "a%0d%0ab.png",
        "a%5c.png",
        ".png",
        "a//b.png",
        "./a.png",
        "link.png",
        "folder.png",
        "%ff.png",
        "x" * 5000 + ".png",
        "page.html",
        "png",
        "",
    ],
)
async def test_nothing_else_is_found(client: httpx.AsyncClient, folder: Path, path: str) -> None:
    (folder / "page.html").write_text("<script>")
    (folder / "folder.png").mkdir()
    secret = folder.parent / "secret.png"
    answer = await client.get("/media/" + path.replace("{outside}", str(secret).lstrip("/")))
    assert answer.status_code in (404, 422), answer.text
    assert b"canary" not in answer.content


@pytest.mark.parametrize("name", ["../secret.png", "ab/../../secret.png", "/../secret.png"])
async def test_the_store_itself_does_not_leave_its_folder(store: MediaStore, folder: Path, name: str) -> None:
    for work in (store.get(name), store.put(name, b"overwritten"), store.delete(name)):
        try:
            assert await work != b"canary"
        except Exception:
            continue
    assert (folder.parent / "secret.png").read_bytes() == b"canary"
