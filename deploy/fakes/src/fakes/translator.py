"""Microsoft Translator v3 as its reference describes it: key, form of requests and answers, errors with six digits.

`mode` makes it fail: `ok`, `slow`, `error` (500), `limited` (429001), `quota` (403001), `hostile` (HTML with a script), `broken` (no JSON).
"""

import asyncio
import json
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "pt", "zh-Hans")


@dataclass
class FakeTranslator:
    """Marks what it translated as `[de] text`; counts what it was asked."""

    key: str = "fake-key"
    mode: str = "ok"
    delay: float = 12.0
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
        target = query.get("to", "")
        if target not in LANGUAGES:
            return _error(400, 400036, "The target language is not valid.")
        try:
            texts = [str(item["Text"]) for item in json.loads(await request.body())]
        except (ValueError, KeyError, TypeError):
            return _error(400, 400074, "The body of the request is not valid JSON.")
        self.calls += 1
        self.characters += sum(map(len, texts))
        self.seen += texts
        if self.mode == "slow":
            await asyncio.sleep(self.delay)
        if self.mode == "error":
            return _error(500, 500000, "An unexpected error occurred.")
        if self.mode == "limited":
            return _error(429, 429001, "The server rejected the request because the client has exceeded request limits.")
        if self.mode == "quota":
            return _error(403, 403001, "The operation is not allowed because the subscription has exceeded its free quota.")
        if self.mode == "broken":
            return Response("<html>busy</html>", media_type="text/html")
        answers = []
        for text in texts:
            made = f"<script>alert(1)</script><p onclick='x()'>[{target}] {text}</p>" if self.mode == "hostile" else f"[{target}] {text}"
            entry: dict[str, object] = {"translations": [{"to": target, "text": made}]}
            if "from" not in query:
                entry["detectedLanguage"] = {"language": "en", "score": 0.97}
            answers.append(entry)
        return JSONResponse(answers, headers={"X-metered-usage": str(sum(map(len, texts)))})


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
