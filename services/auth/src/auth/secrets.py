"""Opaque secrets: 256 random bits outside, their SHA-256 in the database."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a secret with enough bits of its own: no salt, no stretching needed."""
    return hashlib.sha256(secret.encode()).digest()


def same(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def one_time_token(key: str, request_id: int, kind: str, binding: str) -> str:
    """A link's token that can be made again for the same request, and is void once what it is bound to has changed."""
    tag = hmac.new(key.encode(), f"{request_id}:{kind}:{binding}".encode(), hashlib.sha256).digest()
    return f"{request_id}.{urlsafe_b64encode(tag).decode().rstrip('=')}"


def request_of(token: str) -> int | None:
    """Which request a token claims to belong to."""
    head = token.split(".", 1)[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 20 else None


def s256(verifier: str) -> str:
    """The PKCE challenge of a verifier (RFC 7636, S256)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
