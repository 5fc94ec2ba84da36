"""Callers for tests, signed for real with a key made for the session."""

import json
from dataclasses import dataclass
from typing import Any

from common.identity import HEADER, Identity, Signer

ALL_SCOPES = frozenset({"read", "write", "follow", "push", "profile", "admin:read", "admin:write"})


@dataclass(frozen=True)
class TestIdentities:
    """Headers for requests to one service's API."""

    __test__ = False

    signer: Signer
    public_key: dict[str, Any]

    @property
    def jwks(self) -> str:
        return json.dumps({"keys": [self.public_key]})

    def headers(self, audience: str, account_id: int = 1, name: str = "ada", **more: Any) -> dict[str, str]:
        """A person with all scopes unless told otherwise."""
        identity = Identity(**{"kind": "user", "account_id": account_id, "name": name, "scopes": ALL_SCOPES, **more})
        return {HEADER: self.signer.sign(identity, audience)}

    def gateway(self, audience: str) -> dict[str, str]:
        """The gateway speaking for itself."""
        return {HEADER: self.signer.sign(Identity(kind="service", name="gateway"), audience)}
