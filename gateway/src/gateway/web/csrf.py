"""Against forged requests: a token in every form, bound to the session (or to an anonymous cookie), and a look at where a request comes from."""

import hashlib
import hmac
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from wtforms.csrf.core import CSRF

FIELD: Final = "csrf_token"


def token_for(secret: str, binding: str) -> str:
    """The token of one session."""
    return hmac.new(secret.encode(), f"csrf:{binding}".encode(), hashlib.sha256).hexdigest()


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
        if not hmac.compare_digest(str(field.data or "").encode(), self._expected.encode()):
            raise ValueError("This form is too old: send it once more.")
