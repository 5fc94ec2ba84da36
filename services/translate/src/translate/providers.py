"""Who translates: Microsoft Translator v3, or nobody."""

import logging
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import httpx

from translate.domain import AnswerLost, NotConfigured, ProviderFailed, UnknownLanguage
from translate.settings import Settings

log = logging.getLogger(__name__)

_LONGEST: Final = 45_000
_DAY: Final = 86_400.0
_OPEN_AFTER: Final = 5
_OPEN_FOR: Final = 30.0


@dataclass(frozen=True, slots=True)
class Translated:
    """Texts in the order in which they were given, the language they seem to be in, and what they cost in characters."""

    texts: list[str]
    detected: str | None
    characters: int


class Translator(Protocol):
    """Translates HTML. Raises `NotConfigured`, `ProviderFailed`, `UnknownLanguage`; its output is a stranger's."""

    name: str

    async def translate(self, texts: list[str], source: str | None, target: str) -> Translated: ...

    async def languages(self) -> list[str]: ...

    async def close(self) -> None: ...


def translator_of(settings: Settings) -> Translator:
    """The provider that the settings name."""
    return Microsoft(settings) if settings.provider == "microsoft" else Nobody()


class Nobody:
    """No provider was set up."""

    name = "none"

    async def translate(self, texts: list[str], source: str | None, target: str) -> Translated:
        raise NotConfigured

    async def languages(self) -> list[str]:
        return []

    async def close(self) -> None:
        return


class Microsoft:
    """Microsoft Translator, version 3.0 of its contract. A breaker keeps a provider that fails from being asked for half a minute."""

    name = "microsoft"

    def __init__(self, settings: Settings) -> None:
        headers = {"Ocp-Apim-Subscription-Key": settings.microsoft_key.get_secret_value() if settings.microsoft_key else ""}
        if settings.microsoft_region:
            headers["Ocp-Apim-Subscription-Region"] = settings.microsoft_region
        self._client = httpx.AsyncClient(base_url=settings.microsoft_endpoint, headers=headers, timeout=httpx.Timeout(10, connect=3))
        self._closed_until = 0.0
        self._failures = 0
        self._languages: tuple[float, list[str]] = (0.0, [])

    async def close(self) -> None:
        await self._client.aclose()

    async def translate(self, texts: list[str], source: str | None, target: str) -> Translated:
        if time.monotonic() < self._closed_until:
            raise ProviderFailed
        if sum(map(len, texts)) > _LONGEST:
            raise ProviderFailed("the translation service failed: the post is too long for it")
        params = {"api-version": "3.0", "to": target, "textType": "html"} | ({"from": source} if source else {})
        try:
            answer = await self._client.post(
                "/translate", params=params, json=[{"Text": text} for text in texts], headers={"X-ClientTraceId": str(uuid.uuid4())}
            )
        except httpx.HTTPError as error:
            raise self._failed(type(error).__name__, lost=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)) from error
        if answer.status_code != 200:
            raise self._refused(answer)
        try:
            told = answer.json()
            found = [str(item["translations"][0]["text"]) for item in told]
            detected = next((str(item["detectedLanguage"]["language"]) for item in told if "detectedLanguage" in item), None)
        except (ValueError, LookupError, TypeError) as error:
            raise self._failed("an answer that can't be read", lost=True) from error
        if len(found) != len(texts):
            raise self._failed("an answer of another length", lost=True)
        self._failures = 0
        metered = answer.headers.get("X-metered-usage", "")
        return Translated(found, detected, int(metered) if metered.isdigit() else sum(map(len, texts)))

    async def languages(self) -> list[str]:
        """What it can translate to; asked once a day. Raises `ProviderFailed` when it was never told."""
        until, known = self._languages
        if time.monotonic() < until:
            return known
        try:
            answer = await self._client.get("/languages", params={"api-version": "3.0", "scope": "translation"})
            answer.raise_for_status()
            known = sorted(answer.json()["translation"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            if known:
                return known
            raise ProviderFailed from error
        self._languages = (time.monotonic() + _DAY, known)
        return known

    def _refused(self, answer: httpx.Response) -> Exception:
        try:
            code = int(answer.json()["error"]["code"])
        except (ValueError, LookupError, TypeError):
            code = answer.status_code * 1000
        if code in (400019, 400035, 400036):
            return UnknownLanguage()
        if code == 403001:  # the free quota is used up until tomorrow
            midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            self._closed_until = time.monotonic() + (midnight - datetime.now(UTC)).total_seconds()
            return ProviderFailed()
        if answer.status_code == 429:
            after = answer.headers.get("Retry-After", "")
            self._closed_until = time.monotonic() + (min(int(after), 600) if after.isdigit() else _OPEN_FOR)
            return ProviderFailed()
        return self._failed(f"code {code}")

    def _failed(self, reason: str, *, lost: bool = False) -> ProviderFailed:
        self._failures += 1
        log.warning("the translator failed", extra={"reason": reason, "in_a_row": self._failures})
        if self._failures >= _OPEN_AFTER:
            self._closed_until = time.monotonic() + _OPEN_FOR
            self._failures = 0
        return AnswerLost() if lost else ProviderFailed()
