"""Who translates: Microsoft Translator v3, or nobody."""

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from translate.breaker import Breaker, seconds_of, seconds_until_tomorrow
from translate.domain import AnswerLost, NotConfigured, ProviderFailed, TooLong, UnknownLanguage, UnknownSource
from translate.languages import known_as
from translate.settings import Settings

log = logging.getLogger(__name__)

_LONGEST: Final = 45_000
_REST: Final = 30.0
_DAY: Final = 86_400.0
_PATIENCE: Final = 7.5
"""Seconds for a whole answer: less than the gateway waits, so that it is told what failed."""


@dataclass(frozen=True, slots=True)
class Translated:
    """Texts in the order in which they were given, the language they seem to be in, and what they cost in characters."""

    texts: list[str]
    detected: str | None
    characters: int


class Translator(Protocol):
    """Translates HTML. Raises `NotConfigured`, `ProviderFailed`, `UnknownLanguage`, `UnknownSource`; its output is a stranger's.

    `name` is what its translations are kept under, `title` what readers know it by.
    """

    name: str
    title: str

    async def translate(self, texts: list[str], source: str | None, target: str) -> Translated: ...

    async def languages(self) -> list[str]: ...

    async def close(self) -> None: ...


def translator_of(settings: Settings) -> Translator:
    """The provider that the settings name."""
    return Microsoft(settings) if settings.provider == "microsoft" else Nobody()


class Nobody:
    """No provider was set up."""

    name = "none"
    title = ""

    async def translate(self, texts: list[str], source: str | None, target: str) -> Translated:
        raise NotConfigured(retry_after=None)  # there is no time to come back at

    async def languages(self) -> list[str]:
        return []

    async def close(self) -> None:
        return


class Microsoft:
    """Microsoft Translator, version 3.0 of its contract."""

    name = "microsoft"
    title = "Microsoft"

    def __init__(self, settings: Settings) -> None:
        headers = {"Ocp-Apim-Subscription-Key": settings.microsoft_key.get_secret_value() if settings.microsoft_key else ""}
        if settings.microsoft_region:
            headers["Ocp-Apim-Subscription-Region"] = settings.microsoft_region
        timeout = httpx.Timeout(_PATIENCE, connect=3)
        self._client = httpx.AsyncClient(base_url=settings.microsoft_endpoint, headers=headers, timeout=timeout)
        self._breaker = Breaker()
        self._languages: list[str] = []
        self._languages_until = 0.0

    async def close(self) -> None:
        await self._client.aclose()

    async def translate(self, texts: list[str], source: str | None, target: str) -> Translated:
        if sum(map(len, texts)) > _LONGEST:
            raise TooLong(retry_after=None)
        params = {"api-version": "3.0", "to": target, "textType": "html"} | ({"from": known_as(source)} if source else {})
        with self._breaker.call():
            return self._read(await self._asked(texts, params), texts)

    async def _asked(self, texts: list[str], params: dict[str, str]) -> httpx.Response:
        try:
            async with asyncio.timeout(_PATIENCE):  # in all: a stream of single bytes keeps httpx's own limit from passing
                return await self._client.post(
                    "/translate", params=params, json=[{"Text": text} for text in texts], headers={"X-ClientTraceId": str(uuid.uuid4())}
                )
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._failed(type(error).__name__, lost=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)) from error

    def _read(self, answer: httpx.Response, texts: list[str]) -> Translated:
        if answer.status_code != 200:
            raise self._refused(answer)
        try:
            told = answer.json()
            found = [str(item["translations"][0]["text"]) for item in told]
            detected = next((str(item["detectedLanguage"]["language"]) for item in told if "detectedLanguage" in item), None)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self._failed("an answer that can't be read", lost=True) from error
        if len(found) != len(texts):
            raise self._failed("an answer of another length", lost=True)
        self._breaker.succeeded()
        metered = answer.headers.get("X-metered-usage", "")
        return Translated(found, detected, int(metered) if metered.isdigit() else sum(map(len, texts)))

    async def languages(self) -> list[str]:
        """What it can translate to; asked once a day, or half a minute after it failed. Raises `ProviderFailed` when it was never told."""
        if time.monotonic() >= self._languages_until:
            try:
                async with asyncio.timeout(_PATIENCE):
                    answer = await self._client.get("/languages", params={"api-version": "3.0", "scope": "translation"})
                answer.raise_for_status()
                self._languages = sorted(answer.json()["translation"])
                self._languages_until = time.monotonic() + _DAY
            except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
                self._languages_until = time.monotonic() + _REST
                log.warning("the translator didn't tell its languages", extra={"reason": type(error).__name__})
        if not self._languages:
            raise ProviderFailed
        return self._languages

    def _refused(self, answer: httpx.Response) -> Exception:
        try:
            code = int(answer.json()["error"]["code"])
        except (ValueError, LookupError, TypeError, RecursionError):
            code = answer.status_code * 1000
        if code in (400019, 400035, 400036):
            self._breaker.succeeded()
            return UnknownSource() if code == 400035 else UnknownLanguage()
        if code == 403001:  # the free quota is used up until tomorrow
            return ProviderFailed(retry_after=self._breaker.open(seconds_until_tomorrow()))
        pause = seconds_of(answer.headers.get("Retry-After", "")) if answer.status_code in (429, 503) else None
        if pause is not None or answer.status_code == 429:
            return ProviderFailed(retry_after=self._breaker.open(_REST if pause is None else pause))
        return self._failed(f"code {code}")

    def _failed(self, reason: str, *, lost: bool = False) -> ProviderFailed:
        seconds = self._breaker.failed()
        log.warning("the translator failed", extra={"reason": reason})
        return (AnswerLost if lost else ProviderFailed)(retry_after=seconds)
