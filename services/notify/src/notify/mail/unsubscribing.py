"""Links that end one kind of mail with one click (RFC 8058), signed, without an end."""

from typing import Final
from urllib.parse import quote

from itsdangerous import BadSignature, URLSafeSerializer

KINDS: Final = ("follow", "comment", "announcement")


class Unsubscribing:
    """Makes and reads the links' tokens."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="unsubscribe")

    def link(self, public_url: str, account_id: int, kind: str) -> str:
        return f"{public_url}/unsubscribe?token={quote(str(self._serializer.dumps([account_id, kind])))}"

    def read(self, token: str) -> tuple[int, str] | None:
        """Whose link this is, and which kind it ends; None for one that we didn't make."""
        try:
            account_id, kind = self._serializer.loads(token)
        except (BadSignature, ValueError, TypeError):
            return None
        return (int(account_id), str(kind)) if kind in KINDS else None
