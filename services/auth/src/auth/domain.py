"""Rules of accounts and their named errors, worded as clients of the Mastodon API know them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from common.errors import DomainError, Forbidden
from email_validator import EmailNotValidError, validate_email

ROLES: Final = ("user", "moderator", "admin")
MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 128

_USERNAME: Final = re.compile(r"[a-z0-9_]{1,30}")
_RESERVED: Final = frozenset(
    """
    about admin administrator api auth compose explore health help home internal login logout media microblog moderator notify oauth posts
    privacy public register reset root search settings social static support system tags terms translate unsubscribe webhooks
    """.split()
)
_COMMON: Final = frozenset(files("auth").joinpath("common_passwords.txt").read_text("utf-8").split())


class InvalidRegistration(DomainError):
    """Validation failed"""

    code = "invalid_registration"

    def __init__(self, details: Mapping[str, list[dict[str, str]]]) -> None:
        sentences = [f"{_LABELS.get(name, name)} {problem['description']}" for name, problems in details.items() for problem in problems]
        super().__init__("Validation failed: " + ", ".join(sentences), details=dict(details))


class WrongCredentials(DomainError):
    """The name, address or password is wrong"""

    code = "wrong_credentials"
    status = 401


class Throttled(DomainError):
    """Too many requests"""

    code = "throttled"
    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many requests", retry_after=seconds)


class RegistrationsClosed(Forbidden):
    """This server doesn't take new people at the moment"""

    code = "registrations_closed"


class OutdatedLink(DomainError):
    """This link is no longer valid: ask for a new one"""

    code = "outdated_link"


class Busy(DomainError):
    """Too many log-ins at once, try again in a moment"""

    code = "busy"
    status = 503


_LABELS: Final = {"username": "Username", "email": "E-mail", "password": "Password", "agreement": "Agreement"}
_WORDS: Final = {
    "ERR_BLANK": "can't be blank",
    "ERR_INVALID": "is invalid",
    "ERR_TAKEN": "has already been taken",
    "ERR_RESERVED": "is reserved",
    "ERR_TOO_LONG": "is too long",
    "ERR_TOO_SHORT": "is too short (minimum is 8 characters)",
    "ERR_ACCEPTED": "must be accepted",
    "ERR_BLOCKED": "is too easy to guess",
}


@dataclass(frozen=True, slots=True)
class Registration:
    """What a newcomer typed."""

    username: str
    email: str
    password: str
    agreement: bool
    locale: str = "en"


def problem(code: str) -> dict[str, str]:
    return {"error": code, "description": _WORDS[code]}


def check_registration(new: Registration) -> tuple[Registration, dict[str, list[dict[str, Any]]]]:
    """Return the registration with name and address normalised, and its problems by field; whether names are taken only the database knows."""
    details: dict[str, list[dict[str, Any]]] = {}
    username = new.username.strip().lower()
    email = new.email.strip()
    found = _username_problem(username)
    if found:
        details["username"] = [problem(found)]
    try:
        email = validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        details["email"] = [problem("ERR_INVALID" if email else "ERR_BLANK")]
    found = password_problem(new.password, username, email)
    if found:
        details["password"] = [problem(found)]
    if not new.agreement:
        details["agreement"] = [problem("ERR_ACCEPTED")]
    return Registration(username, email, new.password, new.agreement, new.locale), details


def _username_problem(username: str) -> str | None:
    if not username:
        return "ERR_BLANK"
    if len(username) > 30:
        return "ERR_TOO_LONG"
    if not _USERNAME.fullmatch(username):
        return "ERR_INVALID"
    return "ERR_RESERVED" if username in _RESERVED else None


def password_problem(password: str, username: str, email: str) -> str | None:
    """Say what is wrong with a password: length and guessing only, no composition rules (ASVS 5.0 V6.2)."""
    if not password:
        return "ERR_BLANK"
    if len(password) < MIN_PASSWORD:
        return "ERR_TOO_SHORT"
    if len(password) > MAX_PASSWORD:
        return "ERR_TOO_LONG"
    lowered = password.lower()
    if lowered in _COMMON or lowered in (username, email.lower()) or len(set(password)) == 1:
        return "ERR_BLOCKED"
    return None


def address_key(email: str) -> str:
    """What makes two addresses the same: the case doesn't."""
    return email.lower()
