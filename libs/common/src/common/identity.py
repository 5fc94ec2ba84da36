"""Who is calling, told from the gateway to a service in a short signed token (EdDSA, 60 s, one audience).

Services know the public keys from their settings, verify offline and remember verified tokens until they expire (RFC 7519, RFC 8037).
"""

import json
import secrets
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

LIFETIME: Final = 60
_LEEWAY: Final = 30
_CACHE_SIZE: Final = 10_000
HEADER: Final = "x-microblog-identity"


class InvalidIdentity(Exception):
    """The token is forged, expired, or for another service."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls. `kind` is `user`, `app` (an OAuth client by itself), `anonymous` or `service` (then `name` is the service)."""

    kind: str = "anonymous"
    account_id: int = 0
    name: str = ""
    role: str = "user"
    scopes: frozenset[str] = frozenset()
    app_name: str | None = None
    app_website: str | None = None
    token_id: int = 0
    locale: str = "en"

    @property
    def is_user(self) -> bool:
        return self.kind == "user"

    def may(self, scope: str) -> bool:
        """Whether the granted scopes cover this one: `write` covers `write:statuses`."""
        return scope in self.scopes or scope.split(":", 1)[0] in self.scopes

    def claims(self) -> dict[str, Any]:
        return {
            "knd": self.kind,
            "sub": str(self.account_id),
            "nam": self.name,
            "rol": self.role,
            "scp": sorted(self.scopes),
            "app": self.app_name,
            "web": self.app_website,
            "tok": self.token_id,
            "loc": self.locale,
        }

    @classmethod
    def from_claims(cls, claims: dict[str, Any]) -> "Identity":
        return cls(
            kind=claims["knd"],
            account_id=int(claims["sub"]),
            name=claims["nam"],
            role=claims["rol"],
            scopes=frozenset(claims["scp"]),
            app_name=claims.get("app"),
            app_website=claims.get("web"),
            token_id=claims.get("tok", 0),
            locale=claims.get("loc", "en"),
        )


ANONYMOUS: Final = Identity()


def generate_key(issuer: str, number: int = 1) -> tuple[str, dict[str, Any]]:
    """Return a new private key as JSON and its public part; the key id names who may sign with it."""
    key = OKPKey.generate_key("Ed25519", {"kid": f"{issuer}.{number}", "use": "sig", "alg": "Ed25519"})
    return json.dumps(key.as_dict(private=True)), dict(key.as_dict(private=False))


class Signer:
    """Signs identities for services; `issuer` is `gateway`, or a service that calls another from its worker."""

    def __init__(self, private_jwk: str) -> None:
        self._key = OKPKey.import_key(json.loads(private_jwk))
        self._kid = str(self._key.kid)
        self._issuer = self._kid.rsplit(".", 1)[0]

    def sign(self, identity: Identity, audience: str, now: float | None = None) -> str:
        """Return the token for one audience, valid for `LIFETIME` seconds."""
        issued = int(time.time() if now is None else now)
        claims = identity.claims() | {
            "iss": self._issuer,
            "aud": audience,
            "iat": issued,
            "exp": issued + LIFETIME,
            "jti": secrets.token_hex(4),
        }
        return jwt.encode({"alg": "Ed25519", "kid": self._kid, "typ": "at+jwt"}, claims, self._key, algorithms=["Ed25519"])


@dataclass
class Verifier:
    """Checks tokens for one audience; what was verified once is not verified again before it expires."""

    audience: str
    jwks: str
    _keys: dict[str, OKPKey] = field(init=False, repr=False)
    _known: "OrderedDict[str, tuple[float, Identity]]" = field(init=False, repr=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        keys = KeySet.import_key_set(json.loads(self.jwks))
        self._keys = {str(key.kid): key for key in keys.keys if isinstance(key, OKPKey)}

    def verify(self, token: str) -> Identity:
        """Return who signed in this token is; raise `InvalidIdentity`."""
        now = time.time()
        known = self._known.get(token)
        if known is not None and known[0] > now:
            return known[1]
        identity, expires = self._check(token, now)
        self._known[token] = (expires, identity)
        if len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return identity

    def _check(self, token: str, now: float) -> tuple[Identity, float]:
        try:
            kid = str(json.loads(_decode_part(token.split(".", 1)[0]))["kid"])
            decoded = jwt.decode(token, self._keys[kid], algorithms=["Ed25519"])
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidIdentity(str(error)) from error
        claims = decoded.claims
        if decoded.header.get("typ") != "at+jwt" or claims.get("aud") != self.audience or claims.get("iss") != kid.rsplit(".", 1)[0]:
            raise InvalidIdentity("another type, audience or issuer")
        if not now - _LEEWAY - LIFETIME < int(claims.get("iat", 0)) < now + _LEEWAY or int(claims.get("exp", 0)) + _LEEWAY < now:
            raise InvalidIdentity("expired, or not yet valid")
        try:
            identity = Identity.from_claims(claims)
        except (KeyError, ValueError, TypeError) as error:
            raise InvalidIdentity(f"a claim is missing or wrong: {error}") from error
        if identity.kind == "service" and identity.name != claims["iss"]:
            raise InvalidIdentity("a service speaks for itself only")
        if identity.kind != "service" and claims["iss"] != "gateway":
            raise InvalidIdentity("only the gateway speaks for people")
        return identity, float(claims["exp"]) + _LEEWAY


def _decode_part(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
