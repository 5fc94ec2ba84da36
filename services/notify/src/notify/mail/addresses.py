"""Where people get mail: asked of `auth` at the moment of sending, so that no address and no secret lies in Kafka or here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from common.identity import HEADER, Identity, Signer


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets a mail, in which language, with which one-time link."""

    account_id: int
    address: str
    locale: str
    username: str
    link: str | None = None


class Addresses:
    """Asks `auth` as this service; raises `httpx.HTTPError` while it is away."""

    def __init__(self, url: str, signing_key: str) -> None:
        self._signer = Signer(signing_key)
        self._client = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(5, connect=1))

    async def close(self) -> None:
        await self._client.aclose()

    async def requested(self, request_id: int) -> Recipient | None:
        """The recipient of a mail that was asked for, with its link; None when it is no longer wanted."""
        answer = await self._client.post("/internal/mail", json={"request_id": request_id}, headers=self._headers())
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        told = answer.json()
        return Recipient(0, told["address"], told["locale"], told["username"], told["link"])

    async def of(self, account_ids: Sequence[int]) -> dict[int, Recipient]:
        """People's addresses, of at most 500; those are missing who may not act or never confirmed theirs."""
        answer = await self._client.post("/internal/addresses", json={"account_ids": list(account_ids)}, headers=self._headers())
        answer.raise_for_status()
        return {int(row["account_id"]): _recipient(row) for row in answer.json()}

    async def page(self, after: int, limit: int) -> list[Recipient]:
        """Everybody who gets mail, by account id, from behind `after`."""
        answer = await self._client.get("/internal/addresses", params={"after": after, "limit": limit}, headers=self._headers())
        answer.raise_for_status()
        return [_recipient(row) for row in answer.json()]

    def _headers(self) -> dict[str, str]:
        return {HEADER: self._signer.sign(Identity(kind="service", name="notify"), "auth")}


def _recipient(row: dict[str, Any]) -> Recipient:
    return Recipient(int(row["account_id"]), row["address"], row["locale"], row["username"])
