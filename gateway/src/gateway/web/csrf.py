"""Against forged requests: a token in every form, bound to the session (or to an anonymous cookie), and a look at where a request comes from."""

import hashlib
import hmac
import secrets
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from wtforms.csrf.core import CSRF

FIELD: Final = "csrf_token"
_SIZE: Final = hashlib.sha256().digest_size


def token_for(secret: str, binding: str) -> str:
    """A token of one session, written otherwise each time.

    Pages are compressed and repeat what an address says: from their lengths, one that stays as it is could be guessed (BREACH).
    """
    mask = secrets.token_bytes(_SIZE)
    return (mask + _under(mask, hmac.digest(secret.encode(), f"csrf:{binding}".encode(), "sha256"))).hex()


def same(token: str, other: str) -> bool:
    """Whether both are tokens, and of one session."""
    one, two = _unmasked(token), _unmasked(other)
    return one is not None and two is not None and hmac.compare_digest(one, two)


def _unmasked(token: str) -> bytes | None:
    try:
        written = bytes.fromhex(token)
    except ValueError:
        return None
    return _under(written[:_SIZE], written[_SIZE:]) if len(written) == 2 * _SIZE else None


def _under(mask: bytes, value: bytes) -> bytes:
    return bytes(one ^ two for one, two in zip(mask, value, strict=True))


def same_origin(request: Request, public_url: str) -> bool:
    """Whether a browser says that the request comes from our own pages; old ones that say nothing are judged by the token alone."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is None or origin == "null":
        return origin is None
    return urlsplit(origin).netloc in (urlsplit(public_url).netloc, request.headers.get("host", ""))


class SessionCsrf(CSRF):
    """WTForms' hook: the expected token is the form's `csrf_context`."""

    def setup_form(self, form: Any) -> Any:
        self._expected = str(form.meta.csrf_context)
        return super().setup_form(form)

    def generate_csrf_token(self, csrf_token_field: Any) -> str:
        return self._expected

    def validate_csrf_token(self, form: Any, field: Any) -> None:
        if not same(str(field.data or ""), self._expected):
            raise ValueError("This form is too old: send it once more.")
