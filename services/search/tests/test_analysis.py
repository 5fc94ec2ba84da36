"""How texts become terms, and which words of a text are marked."""

import pytest
from search.analysis import fold, terms, tokens
from search.marking import asked, asked_exactly, forgiven, mark


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("don't l'eau", ["don", "t", "l", "eau"]),
        ("slow_travel #SlowTravel", ["slow", "travel", "slowtravel"]),
        ("Zürich straße Ærø café cafe\u0301", ["zurich", "strasse", "aero", "cafe", "cafe"]),
        ("日本語の本を読む。iPhone15を買う", ["日本語の本を読む", "iphone15", "を買う"]),
        ("ｶﾀｶﾅ と ＡＢＣ", ["カタカナ", "と", "abc"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Привет, мир", ["привет", "мир"]),
        ("!!! ??? \x00", []),
    ],
)
def test_words_are_told_apart_and_folded(text: str, words: list[str]) -> None:
    assert [token.folded for token in tokens(text)] == words


def test_a_token_knows_where_it_stands() -> None:
    text = "ein Fluß, 東京"
    assert [text[token.start : token.end] for token in tokens(text)] == ["ein", "Fluß", "東京"]


def test_the_longest_words_are_cut() -> None:
    assert terms("a" * 40_000, None)["words"] == ["a" * 100]


@pytest.mark.parametrize(
    ("language", "word", "other"),
    [("en", "gardening", "Gardens"), ("de", "Häuser", "Haus"), ("de-AT", "Wanderungen", "Wanderung"), ("es", "canciones", "canción")],
)
def test_forms_of_a_word_have_one_stem(language: str, word: str, other: str) -> None:
    stem = terms(word, language)["stems"]
    assert stem == terms(other, language)["stems"] == [f"{language[:2]}:{stem[0][3:]}"]


def test_a_post_of_unknown_language_has_the_stems_of_all_and_of_another_none() -> None:
    assert [stem[:3] for stem in terms("gardens", None)["stems"]] == ["de:", "en:", "es:"]
    assert terms("jardins", "fr")["stems"] == []


def test_runs_without_spaces_are_indexed_by_signs_and_pairs_of_signs() -> None:
    assert terms("東京都 in", "ja") == {"words": sorted(["東", "京", "都", "東京", "京都", "in"]), "pairs": [], "stems": []}
    assert terms("the quick fox", "fr")["pairs"] == ["quick fox", "the quick"]


@pytest.mark.parametrize(("word", "typos"), [("ab", 0), ("abc", 1), ("abcdefg", 1), ("abcdefgh", 2), ("2026", 0), ("mp3s", 1)])
def test_longer_words_may_have_more_typos_and_numbers_none(word: str, typos: int) -> None:
    assert forgiven(word) == typos


@pytest.mark.parametrize(
    ("text", "language", "q", "marked", "alike"),
    [
        ("Our gardens, a garden", "en", "gardening", "Our <em>gardens</em>, a <em>garden</em>", set()),
        ("Our gardens", "fr", "gardening", "Our gardens", set()),
        ("Die Häuser", "de", "haus", "Die <em>Häuser</em>", set()),
        ("Two typos: kubenretes", "en", "kubernetes", "Two typos: <em>kubenretes</em>", {"kubenretes"}),
        ("lubernetes", "en", "kubernetes", "lubernetes", set()),
        ("我喜欢东京的夏天", "zh", "东京夏天", "我喜欢<em>东京</em>的<em>夏天</em>", set()),
        ("猫と犬", "ja", "猫", "<em>猫</em>と犬", set()),
        ("ｶﾀｶﾅ", "ja", "カタ", "<em>ｶﾀ</em>ｶﾅ", set()),
        ("ガス", "ja", "カス", "ガス", set()),
        ("2026 and 2025", "en", "2026", "<em>2026</em> and 2025", set()),
        ("<tea> & tea", "en", "tea", "&lt;<em>tea</em>&gt; &amp; <em>tea</em>", set()),
    ],
)
def test_what_was_looked_for_is_marked(text: str, language: str, q: str, marked: str, alike: set[str]) -> None:
    told = mark(text, asked(q), language)
    assert (told.html, told.alike) == (marked, alike)


def test_a_run_whose_signs_were_joined_by_folding_is_marked_whole() -> None:
    assert mark("ｶﾞｽとﾊﾟﾝ", asked("パン"), "ja").html == "<em>ｶﾞｽとﾊﾟﾝ</em>"


def test_a_phrase_forgives_nothing() -> None:
    assert mark("gardens garden gardem", asked_exactly("garden"), "en").html == "gardens <em>garden</em> gardem"


def test_folding_keeps_marks_that_are_letters_of_their_own() -> None:
    assert (fold("ガ"), fold("カ"), fold("É")) == ("ガ", "カ", "e")
