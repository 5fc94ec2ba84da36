import pytest
from hypothesis import given
from hypothesis import strategies as st
from search.domain import Query, read


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query("")),
        ("  \t ", Query("")),
        ("two  words", Query("two words")),
        ('a "whole phrase" b', Query("a b", ("whole phrase",))),
        ('"from:ada"', Query("", ("from:ada",))),
        ('an "open quote', Query('an "open quote')),
        ("from:@Ada@microblog.example cats", Query("cats", author="ada")),
        ("LANGUAGE:DE has:Image is:reply", Query("", language="de", has=frozenset({"media"}), reply=True)),
        ("has:poll has:link has:money", Query("has:money", has=frozenset({"poll", "link"}))),
        ("after:2026-01-31 before:2026-02-28", Query("", after="2026-01-31", before="2026-02-28")),
        ("from:ada from:bob", Query("", author="bob")),
        ("#cats @ada", Query("#cats @ada")),
    ],
)
def test_words_phrases_and_operators_are_told_apart(text: str, query: Query) -> None:
    assert read(text) == query


@pytest.mark.parametrize(
    "text",
    [
        "from:",
        "from:@",
        "language:english",
        "language:д",
        "has:cats",
        "is:funny",
        "before:tomorrow",
        "after:2026-02-30",
        "after:2026-W05-6",
        "before:",
        "https://x.org",
        "12:30",
        ":",
    ],
)
def test_an_operator_that_makes_no_sense_is_a_word(text: str) -> None:
    assert read(text) == Query(text)


def test_a_date_is_written_in_one_way_only() -> None:
    assert read("before:20260131") in (Query("", before="2026-01-31"), Query("before:20260131"))


@given(st.text(max_size=100))
def test_whatever_is_typed_is_read_and_only_spaces_are_nothing(text: str) -> None:
    query = read(text)
    assert query.empty is not bool(text.strip())
