"""Rules of profiles and their named errors."""

from typing import Final

from common.errors import DomainError

MAX_NAME: Final = 30
MAX_NOTE: Final = 500
MAX_FIELDS: Final = 4
MAX_FIELD: Final = 255
MAX_DESCRIPTION: Final = 1500
VISIBILITIES: Final = ("public", "unlisted", "private", "direct")


class NameTooLong(DomainError):
    """Validation failed: Display name is too long (maximum is 30 characters)"""

    code = "display_name_too_long"


class NoteTooLong(DomainError):
    """Validation failed: Note is too long (maximum is 500 characters)"""

    code = "note_too_long"


class AvatarDescriptionTooLong(DomainError):
    """Validation failed: Avatar description is too long (maximum is 1500 characters)"""

    code = "avatar_description_too_long"


class HeaderDescriptionTooLong(DomainError):
    """Validation failed: Header description is too long (maximum is 1500 characters)"""

    code = "header_description_too_long"


class TooManyFields(DomainError):
    """Validation failed: Fields can be no more than 4, with 255 characters for each name and value"""

    code = "too_many_fields"


class UnknownPrivacy(DomainError):
    """Validation failed: Default privacy is not included in the list (public, unlisted, private, direct)"""

    code = "unknown_privacy"


def check_name(name: str) -> str:
    """Return a display name trimmed."""
    if len(name.strip()) > MAX_NAME:
        raise NameTooLong
    return name.strip()


def check_note(note: str) -> str:
    """Return a bio trimmed."""
    if len(note.strip()) > MAX_NOTE:
        raise NoteTooLong
    return note.strip()


def check_description(kind: str, description: str) -> str:
    """Return what the `avatar` or `header` shows, trimmed."""
    if len(description.strip()) > MAX_DESCRIPTION:
        raise AvatarDescriptionTooLong if kind == "avatar" else HeaderDescriptionTooLong
    return description.strip()


def check_fields(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the fields that say something, in their order."""
    kept = [(name.strip(), value.strip()) for name, value in fields if name.strip() or value.strip()]
    if len(kept) > MAX_FIELDS or any(len(part) > MAX_FIELD for field in kept for part in field):
        raise TooManyFields
    return kept


def check_visibility(visibility: str) -> str:
    """Return a default visibility for posts."""
    if visibility not in VISIBILITIES:
        raise UnknownPrivacy
    return visibility
