import pytest
from posts import domain
from posts.domain import Draft


def draft(text: str = "hello", **more: object) -> Draft:
    return Draft(author_id=1, author_username="ada", text=text, **more)  # type: ignore[arg-type]


def test_a_post_of_only_spaces_is_refused() -> None:
    with pytest.raises(domain.EmptyPost):
        domain.check(draft("   "), 100)


def test_a_picture_needs_no_words() -> None:
    domain.check(draft("", media_ids=(1,)), 100)


def test_an_address_counts_23_characters_however_long() -> None:
    assert domain.length_of("https://example.org/" + "x" * 500, "") == 23


def test_a_letter_with_any_number_of_marks_is_too_long() -> None:
    with pytest.raises(domain.PostTooLong):
        domain.check(draft("a" + "\u0301" * 20_000), 500)


def test_the_host_of_a_mention_does_not_count() -> None:
    assert domain.length_of("@ada@microblog.example hi", "") == len("@ada hi")


@pytest.mark.parametrize("one", ["x", "\r\n", "é", "e\u0301", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇵🇹", "நி", "각"])
def test_what_readers_see_as_one_character_counts_once(one: str) -> None:
    assert domain.length_of(f".{one * 3}.", one) == 6
    domain.check(draft(f".{one * 98}."), 100)
    with pytest.raises(domain.PostTooLong):
        domain.check(draft(f".{one * 98}.", spoiler=one), 100)


def test_the_content_warning_counts() -> None:
    with pytest.raises(domain.PostTooLong, match="limit of 10 exceeded"):
        domain.check(draft("12345678", spoiler="123"), 10)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("visibility", "friends", domain.UnknownVisibility),
        ("language", "english", domain.UnknownLanguage),
        ("media_ids", (1, 2, 3, 4, 5), domain.TooManyMedia),
    ],
)
def test_each_rule_has_its_own_error(field: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        domain.check(draft(**{field: value}), 100)


def test_a_focal_point_is_kept_within_the_picture() -> None:
    assert domain.clamp_focus("-7,0.5") == (-1.0, 0.5)
    assert domain.clamp_focus("nan,nan") in (None, (-1.0, -1.0), (1.0, 1.0))
    assert domain.clamp_focus("middle") is None
    assert domain.clamp_focus(None) is None
