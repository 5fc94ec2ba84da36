"""Microsoft Translator v3 as its reference describes it: key, form of requests and answers, limits, errors with six digits.

`mode` makes it fail: `ok`, `slow`, `drip` (a space now and then, and what was asked for after `delay`), `error` (500), `limited` (429001),
`away` (503000), `quota` (403001), `broken` (no JSON), `hostile` (HTML with a script, all links elsewhere, and nothing spared that was to
be left alone). `retry_after` is sent along with 429 and 503.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

LANGUAGES = (
    "ar",
    "de",
    "en",
    "es",
    "fil",
    "fr",
    "fr-ca",
    "it",
    "ja",
    "ko",
    "nb",
    "pt",
    "pt-pt",
    "sr-Cyrl",
    "sr-Latn",
    "zh-Hans",
    "zh-Hant",
)

_DRIP: Final = 0.05
_TAG: Final = re.compile(r"(<[^>]*>)")
_SPARED: Final = re.compile(r"<[^>]* (?:class=\"(?:[^\"]* )?notranslate[ \"]|translate=\"no\")")


@dataclass
class FakeTranslator:
    """Translates `text` as `[de] text` wherever tags end, but for what is marked as not to be translated; counts what it was asked."""

    key: str = "fake-key"
    mode: str = "ok"
    delay: float = 12.0
    retry_after: str = ""
    calls: int = 0
    characters: int = 0
    seen: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/translate", self._translate, methods=["POST"]), Route("/languages", self._languages)])

    async def _languages(self, request: Request) -> Response:
        return JSONResponse({"translation": {code: {"name": code, "nativeName": code, "dir": "ltr"} for code in LANGUAGES}})

    async def _translate(self, request: Request) -> Response:
        query = request.query_params
        if request.headers.get("ocp-apim-subscription-key") != self.key:
            return _error(401, 401000, "The request is not authorized because credentials are missing or invalid.")
        if query.get("api-version") != "3.0":
            return _error(400, 400021, "The API version parameter is missing or invalid.")
        if query.get("from", "en") not in LANGUAGES:
            return _error(400, 400035, "The source language is not valid.")
        target = query.get("to", "")
        if target not in LANGUAGES:
            return _error(400, 400036, "The target language is not valid.")
        try:
            texts = [str(item["Text"]) for item in json.loads(await request.body())]
        except (ValueError, KeyError, TypeError):
            return _error(400, 400074, "The body of the request is not valid JSON.")
        if len(texts) > 1000:
            return _error(400, 400072, "The number of elements is more than the most that is allowed.")
        if sum(map(len, texts)) > 50_000:
            return _error(400, 400077, "The request is longer than the most that is allowed.")
        self.calls += 1
        self.characters += sum(map(len, texts))
        self.seen += texts
        if self.mode == "slow":
            await asyncio.sleep(self.delay)
        if self.mode == "error":
            return _error(500, 500000, "An unexpected error occurred.")
        if self.mode == "limited":
            return _error(429, 429001, "The server rejected the request because the client has exceeded request limits.", self.retry_after)
        if self.mode == "away":
            return _error(503, 503000, "Service is temporarily unavailable.", self.retry_after)
        if self.mode == "quota":
            return _error(403, 403001, "The operation is not allowed because the subscription has exceeded its free quota.")
        if self.mode == "broken":
            return Response("<html>busy</html>", media_type="text/html")
        answers = []
        for text in texts:
            made = _hostile(text, target) if self.mode == "hostile" else translated(text, target)
            entry: dict[str, object] = {"translations": [{"to": target, "text": made}]}
            if "from" not in query:
                entry["detectedLanguage"] = {"language": "en", "score": 0.97}
            answers.append(entry)
        if self.mode == "drip":
            return StreamingResponse(self._dripping(json.dumps(answers)), media_type="application/json")
        return JSONResponse(answers, headers={"X-metered-usage": str(sum(map(len, texts)))})

    async def _dripping(self, answer: str) -> AsyncIterator[str]:
        for _ in range(int(self.delay / _DRIP)):
            yield " "
            await asyncio.sleep(_DRIP)
        yield answer


def translated(text: str, target: str, *, sparing: bool = True) -> str:
    """HTML with each stretch of its words changed; tags stay, and so does what is marked, unless nothing is spared."""
    made, spared = [], 0
    for part in _TAG.split(text):
        if part.startswith("<"):
            if spared:
                spared += -1 if part.startswith("</") else not part.startswith("<br")
            elif sparing and _SPARED.match(part):
                spared = 1
        elif not spared and part.strip():
            words = part.lstrip()
            part = f"{part[: len(part) - len(words)]}[{target}] {words}"
        made.append(part)
    return "".join(made)


def _hostile(text: str, target: str) -> str:
    elsewhere = re.sub(r"<a\b", '<a class="u-url mention" href="//evil.example/"', translated(text, target, sparing=False))
    return f'<script>alert(1)</script><p onclick=\'x()\'><a class="mention" href="https://evil.example/">{elsewhere}</a></p>'


def _error(status: int, code: int, message: str, retry_after: str = "") -> JSONResponse:
    headers = {"Retry-After": retry_after} if retry_after else None
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)
