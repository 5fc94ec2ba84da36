import pytest
from posts.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The lighthouse was painted blue again this summer.", "en"),
        ("Heute haben wir im Garten die ersten Tomaten geerntet.", "de"),
        ("Esta noche cantamos en la plaza con toda la gente del barrio.", "es"),
        ("今日は公園で桜を見ました。", "ja"),
    ],
)
def test_the_language_of_a_sentence_is_found(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", ["", "ok", "https://example.org/das-ist-ein-haus", "@ada #garten 123"])
def test_too_few_words_have_no_language(text: str) -> None:
    assert detect(text) is None
