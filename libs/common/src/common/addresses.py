"""Addresses of public pages, the same in every service's answers."""

from urllib.parse import quote


def profile_url(public_url: str, username: str) -> str:
    return f"{public_url}/@{username}"


def status_url(public_url: str, username: str, status_id: int) -> str:
    return f"{public_url}/@{username}/{status_id}"


def tag_url(public_url: str, name: str) -> str:
    """A hashtag's page; names in any script, percent-encoded (RFC 3986)."""
    return f"{public_url}/tags/{quote(name, safe='')}"
