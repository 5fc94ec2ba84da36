"""The stand-ins for outside services: they refuse what the real ones refuse, and fail in the ways that their documentation names."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fakes.postmark import FakePostmark
from fakes.server import serving
from fakes.translator import FakeTranslator
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send


@pytest.fixture
def postmark() -> FakePostmark:
    return FakePostmark()


@pytest.fixture
def mail(postmark: FakePostmark) -> Iterator[httpx.Client]:
    with serving(postmark.app()) as url, httpx.Client(base_url=url, headers={"X-Postmark-Server-Token": postmark.token}) as client:
        yield client


@pytest.fixture
def translator() -> FakeTranslator:
    return FakeTranslator()


@pytest.fixture
def translate(translator: FakeTranslator) -> Iterator[httpx.Client]:
    key = {"Ocp-Apim-Subscription-Key": translator.key}
    with serving(translator.app()) as url, httpx.Client(base_url=url, headers=key, params={"api-version": "3.0"}) as client:
        yield client


def message(key: str = "k1", **more: Any) -> dict[str, Any]:
    return {"From": "a@x.example", "To": "b@x.example", "MessageStream": "outbound", "Metadata": {"dedupe-key": key}, **more}


def test_a_mail_is_kept_and_found_by_its_metadata(postmark: FakePostmark, mail: httpx.Client) -> None:
    sent = mail.post("/email", json=message())
    assert (sent.status_code, sent.json()["ErrorCode"]) == (200, 0)
    found = mail.get("/messages/outbound", params={"metadata_dedupe-key": "k1"}).json()
    assert (found["TotalCount"], found["Messages"][0]["MessageID"]) == (1, sent.json()["MessageID"])
    assert mail.get("/messages/outbound", params={"metadata_dedupe-key": "k2"}).json()["TotalCount"] == 0
    assert postmark.keys() == ["k1"]


def test_like_the_real_one_it_sends_twice_what_is_sent_twice(postmark: FakePostmark, mail: httpx.Client) -> None:
    first, second = (mail.post("/email", json=message()).json()["MessageID"] for _ in range(2))
    assert first != second
    assert postmark.keys() == ["k1", "k1"]


def test_in_a_batch_each_mail_has_a_verdict_of_its_own(postmark: FakePostmark, mail: httpx.Client) -> None:
    answer = mail.post("/email/batch", json=[message("k1"), message("k2", MessageStream="nowhere"), message("k3", To="nobody")])
    assert (answer.status_code, [one["ErrorCode"] for one in answer.json()]) == (200, [0, 1235, 300])
    assert postmark.keys() == ["k1"]
    assert mail.post("/email", json=message(MessageStream="nowhere")).status_code == 422


def test_a_batch_holds_500_at_most(postmark: FakePostmark, mail: httpx.Client) -> None:
    answer = mail.post("/email/batch", json=[message()] * 501)
    assert (answer.status_code, answer.json()["ErrorCode"], postmark.delivered) == (422, 410, [])


def test_an_address_is_suppressed_by_stream_until_it_is_taken_from_the_list(postmark: FakePostmark, mail: httpx.Client) -> None:
    postmark.suppressed = {("broadcast", "b@x.example"): "ManualSuppression", ("outbound", "c@x.example"): "SpamComplaint"}
    assert mail.post("/email", json=message()).status_code == 200
    assert mail.post("/email", json=message(MessageStream="broadcast")).json()["ErrorCode"] == 406
    dump = mail.get("/message-streams/broadcast/suppressions/dump").json()["Suppressions"]
    assert [(one["EmailAddress"], one["SuppressionReason"]) for one in dump] == [("b@x.example", "ManualSuppression")]
    for stream, address, status in (("broadcast", "b@x.example", "Deleted"), ("outbound", "c@x.example", "Failed")):
        asked = {"Suppressions": [{"EmailAddress": address}]}
        told = mail.post(f"/message-streams/{stream}/suppressions/delete", json=asked).json()
        assert told["Suppressions"][0]["Status"] == status
    assert mail.get("/message-streams/nowhere/suppressions/dump").status_code == 422
    assert mail.post("/email", json=message(MessageStream="broadcast")).status_code == 200


def test_an_answer_that_is_garbled_says_nothing_of_the_mail(postmark: FakePostmark, mail: httpx.Client) -> None:
    postmark.mode = "accept_then_garble"
    assert (mail.post("/email", json=message()).text[:6], len(postmark.delivered)) == ("<html>", 1)


@pytest.mark.parametrize(
    ("mode", "status", "code", "kept"),
    [
        ("limited", 429, 429, 0),
        ("down", 503, 100, 0),
        ("inactive", 422, 406, 0),
        ("bad_token", 401, 10, 0),
        ("accept_then_500", 500, None, 1),
    ],
)
def test_it_fails_as_it_is_told_to(postmark: FakePostmark, mail: httpx.Client, mode: str, status: int, code: int | None, kept: int) -> None:
    postmark.mode = mode
    answer = mail.post("/email", json=message())
    assert answer.status_code == status
    assert code is None or answer.json()["ErrorCode"] == code
    assert (postmark.calls, len(postmark.delivered)) == (1, kept)


def test_who_hears_nothing_cannot_know_that_the_mail_was_taken(postmark: FakePostmark, mail: httpx.Client) -> None:
    postmark.mode, postmark.hang = "accept_then_hang", 0.5
    with pytest.raises(httpx.ReadTimeout):
        mail.post("/email", json=message(), timeout=0.1)
    assert mail.get("/messages/outbound", params={"metadata_dedupe-key": "k1"}).json()["TotalCount"] == 1


def test_without_the_right_token_nothing_is_sent_and_nothing_found(postmark: FakePostmark, mail: httpx.Client) -> None:
    wrong = {"X-Postmark-Server-Token": "wrong"}
    assert mail.post("/email", json=message(), headers=wrong).status_code == 401
    assert mail.get("/messages/outbound", params={"metadata_dedupe-key": "k1"}, headers=wrong).status_code == 401
    assert postmark.delivered == []


def test_texts_are_translated_in_order_and_metered(translator: FakeTranslator, translate: httpx.Client) -> None:
    answer = translate.post("/translate", params={"to": "de"}, json=[{"Text": "tea"}, {"Text": "cake"}])
    assert [entry["translations"][0] for entry in answer.json()] == [{"to": "de", "text": "[de] tea"}, {"to": "de", "text": "[de] cake"}]
    assert [entry["detectedLanguage"]["language"] for entry in answer.json()] == ["en", "en"]
    assert answer.headers["x-metered-usage"] == "7"
    assert (translator.calls, translator.characters, translator.seen) == (1, 7, ["tea", "cake"])
    told = translate.post("/translate", params={"to": "de", "from": "en"}, json=[{"Text": "tea"}]).json()
    assert "detectedLanguage" not in told[0]
    assert {"de", "ja"} <= set(translate.get("/languages").json()["translation"])


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"headers": {"Ocp-Apim-Subscription-Key": "wrong"}}, 401, 401000),
        ({"params": {"api-version": "2.0", "to": "de"}}, 400, 400021),
        ({"params": {"to": "xx"}}, 400, 400036),
        ({"params": {"to": "zh"}}, 400, 400036),
        ({"params": {"to": "de", "from": "zh"}}, 400, 400035),
        ({"json": [{"Text": "x"}] * 1001}, 400, 400072),
        ({"json": [{"Text": "x" * 25_001}] * 2}, 400, 400077),
        ({"json": {"Text": "tea"}}, 400, 400074),
        ({"json": [{"text": "tea"}]}, 400, 400074),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_not_counted(
    translator: FakeTranslator, translate: httpx.Client, change: dict[str, Any], status: int, code: int
) -> None:
    answer = translate.post("/translate", **({"params": {"to": "de"}, "json": [{"Text": "tea"}]} | change))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert translator.calls == 0


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("<p>tea <em>and</em><br>cake</p>", "<p>[de] tea <em>[de] and</em><br>[de] cake</p>"),
        ('<p>see <a href="https://x.example">this</a></p>', '<p>[de] see <a href="https://x.example">[de] this</a></p>'),
        ('<b class="notranslate">a <i>b</i><br>c</b> d', '<b class="notranslate">a <i>b</i><br>c</b> [de] d'),
        ('<i translate="no">a</i> <b class="notranslated">b</b>', '<i translate="no">a</i> <b class="notranslated">[de] b</b>'),
        ("1 &lt; 2", "[de] 1 &lt; 2"),
    ],
)
def test_all_is_changed_but_tags_and_what_is_marked(translate: httpx.Client, text: str, made: str) -> None:
    answer = translate.post("/translate", params={"to": "de"}, json=[{"Text": text}])
    assert answer.json()[0]["translations"][0]["text"] == made


@pytest.mark.parametrize(
    ("mode", "status", "code"), [("error", 500, 500000), ("limited", 429, 429001), ("away", 503, 503000), ("quota", 403, 403001)]
)
def test_the_translator_fails_as_it_is_told_to(
    translator: FakeTranslator, translate: httpx.Client, mode: str, status: int, code: int
) -> None:
    translator.mode, translator.retry_after = mode, "7"
    answer = translate.post("/translate", params={"to": "de"}, json=[{"Text": "tea"}])
    assert (answer.status_code, answer.json()["error"]["code"], translator.calls) == (status, code, 1)
    assert answer.headers.get("retry-after") == ("7" if status in (429, 503) else None)


def test_the_translator_can_be_slow_broken_or_hostile(translator: FakeTranslator, translate: httpx.Client) -> None:
    def ask(**more: Any) -> httpx.Response:
        return translate.post("/translate", params={"to": "de"}, json=[{"Text": "tea"}], **more)

    translator.mode = "hostile"
    hostile = ask().json()[0]["translations"][0]["text"]
    assert "<script>" in hostile
    assert "evil.example" in hostile
    translator.mode = "broken"
    with pytest.raises(ValueError, match="Expecting value"):
        ask().json()
    translator.mode, translator.delay = "slow", 0.5
    with pytest.raises(httpx.ReadTimeout):
        ask(timeout=0.1)
    translator.mode, translator.delay = "drip", 0.3
    dripped = ask(timeout=0.2)
    assert dripped.elapsed.total_seconds() >= 0.25
    assert dripped.json()[0]["translations"][0]["text"] == "[de] tea"


def test_a_server_answers_for_as_long_as_it_is_needed_and_several_do_at_once() -> None:
    threads = threading.active_count()
    with serving(PlainTextResponse("one")) as one, serving(PlainTextResponse("two")) as two:
        assert [httpx.get(url).text for url in (one, two)] == ["one", "two"]
    for url in (one, two):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    assert threading.active_count() == threads


def test_what_an_application_opens_first_is_open_when_the_server_answers() -> None:
    opened: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            opened.append("opened")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            opened.append("closed")
            await send({"type": "lifespan.shutdown.complete"})
            return
        await PlainTextResponse(opened[-1])(scope, receive, send)

    with serving(app, lifespan="on") as url:
        assert httpx.get(url).text == "opened"
    assert opened == ["opened", "closed"]
