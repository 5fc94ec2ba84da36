"""posts, end to end."""

import io

import httpx
from PIL import Image
from stack import Stack


def picture(colour: str = "teal") -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    out = io.BytesIO()
    Image.new("RGB", (1200, 800), colour).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_a_post_is_written_edited_and_deleted(stack: Stack) -> None:
    person = stack.new_person("writer")
    status = person.write("first **draft**")
    assert status["content"] == "<p>first <strong>draft</strong></p>"
    assert status["url"] == f"{stack.url}/@{person.name}/{status['id']}"
    edited = person.client.put(f"/api/v1/statuses/{status['id']}", json={"status": "final"}).json()
    assert (edited["content"], edited["id"]) == ("<p>final</p>", status["id"])
    assert edited["edited_at"].endswith("Z")
    assert person.get(f"/api/v1/statuses/{status['id']}/source")["text"] == "final"
    history = person.get(f"/api/v1/statuses/{status['id']}/history")
    assert [entry["content"] for entry in history] == ["<p>first <strong>draft</strong></p>", "<p>final</p>"]
    assert history[0]["account"]["username"] == person.name
    gone = person.client.delete(f"/api/v1/statuses/{status['id']}").json()
    assert gone["text"] == "final"
    assert person.client.get(f"/api/v1/statuses/{status['id']}").status_code == 404


def test_hostile_markup_is_inert(stack: Stack) -> None:
    status = stack.new_person().write("<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)>")
    assert "<script" not in status["content"]
    assert "<img" not in status["content"]
    assert 'href="javascript' not in status["content"]


def test_a_picture_is_shown_with_its_alt_text_and_without_its_metadata(stack: Stack) -> None:
    person = stack.new_person("painter")
    sent = person.client.post("/api/v2/media", files={"file": ("a.jpg", picture(), "image/jpeg")}, data={"description": "all teal"})
    media = sent.json()
    assert media["meta"]["original"] == {"width": 1200, "height": 800, "size": "1200x800", "aspect": 1.5}
    status = person.write("look", media_ids=[media["id"]])
    shown = status["media_attachments"][0]
    assert (shown["description"], shown["type"]) == ("all teal", "image")
    for address in (shown["url"], shown["preview_url"]):
        served = httpx.get(address)
        assert served.status_code == 200
        assert b"a secret place" not in served.content
    assert max(Image.open(io.BytesIO(httpx.get(shown["preview_url"]).content)).size) == 640


def test_what_is_no_picture_or_too_large_is_refused_with_the_reason(stack: Stack) -> None:
    person = stack.new_person()
    bad = person.client.post("/api/v2/media", files={"file": ("a.png", b"not a picture", "image/png")})
    assert (bad.status_code, "picture" in bad.json()["error"]) == (422, True)
    large = person.client.post("/api/v2/media", files={"file": ("a.png", b"0" * 17_000_000, "image/png")})
    assert (large.status_code, "16 MB" in large.json()["error"]) == (422, True)


def test_a_picture_taken_sideways_stands_upright(stack: Stack) -> None:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # the camera was turned by a quarter
    Image.new("RGB", (120, 80), "teal").save(out, "JPEG", exif=exif)
    person = stack.new_person()
    media = person.client.post("/api/v2/media", files={"file": ("a.jpg", out.getvalue(), "image/jpeg")}).json()
    assert media["meta"]["original"]["size"] == "80x120"
    served = Image.open(io.BytesIO(httpx.get(media["url"]).content))
    assert (served.size, dict(served.getexif())) == ((80, 120), {})


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(stack: Stack) -> None:
    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "PNG", optimize=True)
    assert len(out.getvalue()) < 1_000_000
    bomb = stack.new_person().client.post("/api/v2/media", files={"file": ("a.png", out.getvalue(), "image/png")})
    assert (bomb.status_code, "40 million pixels" in bomb.json()["error"]) == (422, True)


def test_what_a_reader_sees_as_one_sign_counts_as_one_and_an_address_as_23(stack: Stack) -> None:
    person = stack.new_person()
    most = person.get("/api/v2/instance")["configuration"]["statuses"]["max_characters"]
    family, address = "👩‍👩‍👧‍👦", "https://example.org/" + "a" * 200
    assert person.client.post("/api/v1/statuses", json={"status": family * most}).status_code == 200
    assert person.client.post("/api/v1/statuses", json={"status": f"{address} {family * (most - 24)}"}).status_code == 200
    longer = person.client.post("/api/v1/statuses", json={"status": f"{address} {family * (most - 23)}"})
    assert (longer.status_code, str(most) in longer.json()["error"]) == (422, True)


def test_a_reply_is_a_comment_in_the_thread(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write("what do you think?")
    reply = reader.write("a lot", in_reply_to_id=status["id"])
    assert (reply["in_reply_to_id"], reply["in_reply_to_account_id"]) == (status["id"], author.id)
    context = author.get(f"/api/v1/statuses/{status['id']}/context")
    assert [entry["id"] for entry in context["descendants"]] == [reply["id"]]
    assert author.get(f"/api/v1/statuses/{status['id']}")["replies_count"] == 1
    missing = reader.client.post("/api/v1/statuses", json={"status": "x", "in_reply_to_id": "123"})
    assert missing.status_code == 404


def test_the_language_is_recognised_unless_told(stack: Stack) -> None:
    person = stack.new_person()
    assert person.write("Heute haben wir im Garten die ersten Tomaten geerntet.")["language"] == "de"
    assert person.write("Heute haben wir im Garten die ersten Tomaten geerntet.", language="nl")["language"] == "nl"


def test_the_same_key_makes_one_post(stack: Stack) -> None:
    person = stack.new_person()
    first, second = (
        person.client.post("/api/v1/statuses", json={"status": "once"}, headers={"Idempotency-Key": "the-key"}).json() for _ in range(2)
    )
    assert first["id"] == second["id"]
    assert len(person.get(f"/api/v1/accounts/{person.id}/statuses")) == 1
