import pytest
from auth import domain
from auth.domain import Registration, check_registration


def problems(**fields: object) -> dict[str, str]:
    """The first problem of each field of a registration that is good but for these fields."""
    good = {"username": "ada", "email": "ada@example.org", "password": "correct horse battery", "agreement": True}
    _, details = check_registration(Registration(**{**good, **fields}))  # type: ignore[arg-type]
    return {name: found[0]["error"] for name, found in details.items()}


def test_a_good_registration_is_normalised() -> None:
    new, details = check_registration(Registration(" Ada_1 ", " Ada@EXAMPLE.org ", "correct horse battery", True))
    assert details == {}
    assert (new.username, new.email) == ("ada_1", "Ada@example.org")


@pytest.mark.parametrize(
    ("username", "error"),
    [
        ("", "ERR_BLANK"),
        ("  ", "ERR_BLANK"),
        ("a" * 31, "ERR_TOO_LONG"),
        ("ada lovelace", "ERR_INVALID"),
        ("ada-l", "ERR_INVALID"),
        ("ада", "ERR_INVALID"),
        ("ada\n", None),  # white space around it is nobody's intention
        ("a" * 30, None),
        ("Admin", "ERR_RESERVED"),
        ("oauth", "ERR_RESERVED"),
    ],
)
def test_user_names_are_thirty_plain_letters_digits_and_underscores(username: str, error: str | None) -> None:
    assert problems(username=username).get("username") == error


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("", "ERR_BLANK"),
        ("1234567", "ERR_TOO_SHORT"),
        ("x" * 64 + "y" * 65, "ERR_TOO_LONG"),
        ("x" * 64 + "y" * 64, None),
        ("Password1", "ERR_BLOCKED"),
        ("zzzzzzzzzzzz", "ERR_BLOCKED"),
        ("Ada_Lovelace", "ERR_BLOCKED"),
        ("ADA@example.org", "ERR_BLOCKED"),
        ("        a", None),
        ("пароль, которого нет", None),
    ],
)
def test_passwords_are_judged_by_length_and_by_how_easily_they_are_guessed(password: str, error: str | None) -> None:
    assert problems(username="ada_lovelace", password=password).get("password") == error


@pytest.mark.parametrize(
    ("email", "error"),
    [("", "ERR_BLANK"), ("ada", "ERR_INVALID"), ("ada@", "ERR_INVALID"), ("a b@example.org", "ERR_INVALID"), ("ada@bücher.example", None)],
)
def test_addresses_have_the_form_of_addresses(email: str, error: str | None) -> None:
    assert problems(email=email).get("email") == error


def test_all_problems_are_told_at_once_in_the_words_of_the_api() -> None:
    _, details = check_registration(Registration("", "", "short", False))
    assert str(domain.InvalidRegistration(details)) == (
        "Validation failed: Username can't be blank, E-mail can't be blank, Password is too short (minimum is 8 characters), "
        "Agreement must be accepted"
    )


def test_the_case_of_an_address_makes_no_second_one() -> None:
    assert domain.address_key("Ada@Example.org") == domain.address_key("ada@example.ORG")
