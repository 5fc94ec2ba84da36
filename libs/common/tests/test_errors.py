"""Errors that clients can tell apart."""

import pytest
from common.errors import DomainError, Forbidden, LoginRequired, NotFound, OutsideScopes, Transient, Unavailable


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DomainError(), 422, "invalid"),
        (NotFound(), 404, "not_found"),
        (Forbidden(), 403, "forbidden"),
        (OutsideScopes(), 403, "outside_scopes"),
        (LoginRequired(), 401, "login_required"),
        (Unavailable(), 503, "unavailable"),
    ],
)
def test_every_error_has_its_status_and_code(error: DomainError, status: int, code: str) -> None:
    assert (error.status, error.code) == (status, code)
    assert str(error)


def test_an_errors_first_words_are_its_docstring_unless_told_otherwise() -> None:
    assert str(NotFound()) == "Record not found"
    assert str(NotFound("No such post", hint=1)) == "No such post"
    assert NotFound(hint=1).extra == {"hint": 1}


def test_what_passes_is_no_broken_rule() -> None:
    assert not issubclass(Transient, DomainError)
