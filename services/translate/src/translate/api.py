"""Translate a post; which languages there are."""

import html
from typing import Annotated, Any

from common.api import HIDDEN, PathId, needs
from common.bodies import body, described
from common.identity import Identity
from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from translate.commands import Translations
from translate.domain import ProviderFailed, same
from translate.languages import ALIASES
from translate.providers import Translator

router = APIRouter(tags=["translations"])


class Wanted(BaseModel):
    """`POST /api/v1/statuses/:id/translate`; without `lang` the caller's own language."""

    model_config = ConfigDict(extra="ignore")

    lang: str | None = Field(default=None, max_length=10)


async def _translations(request: Request) -> Translations:
    translations: Translations = request.app.state.translations
    return translations


async def _translator(request: Request) -> Translator:
    translator: Translator = request.app.state.translator
    return translator


@router.post("/api/v1/statuses/{post_id}/translate", openapi_extra=described(Wanted))
async def translate(
    post_id: PathId,
    wanted: Annotated[Wanted, Depends(body(Wanted))],
    caller: Annotated[Identity, Depends(needs("read:statuses"))],
    translations: Annotated[Translations, Depends(_translations)],
    version: Annotated[
        int | None, Header(alias="x-microblog-version", description="what the viewer sees; set by the gateway alone")
    ] = None,
) -> dict[str, Any]:
    """A public or unlisted post in another language: a Translation. 503 says whether nobody translates here, or whether it failed."""
    made = await translations.translate(post_id, version, wanted.lang or caller.locale)
    return {
        "content": made.content,
        "spoiler_text": html.unescape(made.spoiler),
        "language": made.language,
        "detected_source_language": made.detected,
        "provider": made.provider,
        "media_attachments": [{"id": media_id, "description": html.unescape(told)} for media_id, told in made.descriptions.items()],
        "poll": {"id": str(post_id), "options": [{"title": html.unescape(title)} for title in made.options]} if made.options else None,
    }


@router.get("/api/v1/instance/translation_languages")
async def languages(translator: Annotated[Translator, Depends(_translator)]) -> dict[str, list[str]]:
    """From which language to which; `und` stands for any that is detected. Empty without a provider, or while it fails.

    Posts may say `zh` where a provider says `zh-Hans`: both are told as what can be translated.
    """
    try:
        known = await translator.languages()
    except ProviderFailed:
        known = []
    sources = ["und", *known, *(alias for alias, code in ALIASES.items() if code in known and alias not in known and "-" not in alias)]
    return {source: [target for target in known if not same(target, source)] for source in sources} if known else {}


@router.get("/internal/instance", **HIDDEN)
async def instance(translator: Annotated[Translator, Depends(_translator)]) -> dict[str, Any]:
    """What this service adds to the description of the server."""
    return {"configuration": {"translation": {"enabled": translator.name != "none"}}}
