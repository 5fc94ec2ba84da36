"""Errors with a stable code, which the HTTP edge turns into answers of the Mastodon client API."""

from typing import Any, ClassVar


class DomainError(Exception):
    """A rule was broken by what somebody asked for; `code` is stable, the message is for people."""

    code: ClassVar[str] = "invalid"
    status: ClassVar[int] = 422

    def __init__(self, message: str | None = None, **extra: Any) -> None:
        super().__init__(message or type(self).__doc__ or self.code)
        self.extra = extra


class NotFound(DomainError):
    """Record not found"""

    code = "not_found"
    status = 404


class Forbidden(DomainError):
    """This action is not allowed"""

    code = "forbidden"
    status = 403


class OutsideScopes(Forbidden):
    """This action is outside the authorized scopes"""

    code = "outside_scopes"


class LoginRequired(DomainError):
    """This method requires an authenticated user"""

    code = "login_required"
    status = 401


class Unavailable(DomainError):
    """The service is temporarily unavailable"""

    code = "unavailable"
    status = 503


class Transient(Exception):
    """Something outside is away for now: whoever consumes events waits and tries again."""
