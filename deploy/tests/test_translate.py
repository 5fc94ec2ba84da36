"""translate, end to end, against a provider that speaks Microsoft's contract."""

import secrets
from collections.abc import Iterator

import pytest
from fakes.translator import FakeTranslator
from stack import Stack, wait_for


@pytest.fixture(autouse=True)
def _well(translator: FakeTranslator) -> Iterator[None]:
    yield
    translator.mode = "ok"


def test_a_post_is_translated_once_and_then_remembered(stack: Stack, translator: FakeTranslator) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    words = f"Good morning {secrets.token_hex(4)}"
    status = author.write(f"**{words}**", language="en")
    before = translator.calls
    for _ in range(2):
        made = reader.post(f"/api/v1/statuses/{status['id']}/translate", lang="de")
    assert made["content"] == f"<p><strong>[de] {words}</strong></p>"
    assert (made["language"], made["detected_source_language"], made["provider"]) == ("de", "en", "microsoft")
    assert translator.calls == before + 1


def test_what_comes_back_is_sanitised(stack: Stack, translator: FakeTranslator) -> None:
    status = stack.new_person("author").write(f"harmless {secrets.token_hex(4)}", language="en")
    translator.mode = "hostile"
    made = stack.new_person("reader").post(f"/api/v1/statuses/{status['id']}/translate", lang="es")
    assert "<script" not in made["content"]
    assert "onclick" not in made["content"]
    assert "harmless" in made["content"]


def test_a_provider_that_fails_is_told_and_the_original_stays(stack: Stack, translator: FakeTranslator) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write(f"still here {secrets.token_hex(4)}", language="en")
    translator.mode = "error"
    failed = reader.client.post(f"/api/v1/statuses/{status['id']}/translate", json={"lang": "fr"})
    assert (failed.status_code, failed.json()["error"]) == (503, "the translation service failed")
    assert reader.get(f"/api/v1/statuses/{status['id']}")["content"] == status["content"]


def test_an_edit_makes_a_translation_stale_and_private_posts_have_none(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write(f"old words {secrets.token_hex(4)}", language="en")
    reader.post(f"/api/v1/statuses/{status['id']}/translate", lang="de")
    fresh = f"new words {secrets.token_hex(4)}"
    author.client.put(f"/api/v1/statuses/{status['id']}", json={"status": fresh, "language": "en"})

    def translated() -> bool:
        answer = reader.client.post(f"/api/v1/statuses/{status['id']}/translate", json={"lang": "de"})
        assert "old words" not in answer.text
        return answer.status_code == 200 and fresh in answer.json()["content"]

    wait_for(translated, "the translation of the new words")
    private = author.write(f"@{reader.name} between us", visibility="direct", language="en")
    wait_for(
        lambda: reader.client.post(f"/api/v1/statuses/{private['id']}/translate", json={"lang": "de"}).status_code == 403,
        "a private post to be refused",
    )


def test_new_posts_are_translated_ahead_for_readers_who_asked_before(stack: Stack, translator: FakeTranslator) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    first = author.write(f"first {secrets.token_hex(4)}", language="en")
    reader.post(f"/api/v1/statuses/{first['id']}/translate", lang="it")
    words = f"second {secrets.token_hex(4)}"
    author.write(words, language="en")
    wait_for(lambda: any(words in text for text in translator.seen), "the next post to be translated before anybody asks")
