"""Translating a post: from the cache, or by the provider, within the day's budget."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from common.db import Database
from common.errors import DomainError, NotFound
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from translate.breaker import seconds_until_tomorrow
from translate.domain import AnswerLost, BudgetSpent, CannotTranslate, ProviderFailed, check_target, text_hash
from translate.markup import marked, marked_words
from translate.providers import Translated, Translator

_PATIENCE: Final = 2.0
_LATEST: Final = 2.25
"""Seconds after which no call to the provider is begun: the gateway would have given up before the answer."""
_LOOK: Final = 0.1
_LEASE: Final = 10
"""Seconds for which a claim holds: longer than a call takes, so that only a process that has ended loses one."""

_SOURCE = text(
    "SELECT post_id, version, author_id, language, html, spoiler, descriptions, options, gone, private FROM sources WHERE post_id = :post"
)
_CACHED = text("""
    SELECT text_hash, translated, detected FROM translations
    WHERE text_hash = ANY(:hashes) AND source = :source AND target = :target AND provider = :provider
""")
_KEEP = text("""
    INSERT INTO translations (text_hash, source, target, provider, translated, detected)
    VALUES (:hash, :source, :target, :provider, :translated, :detected) ON CONFLICT DO NOTHING
""")
_STILL = text("SELECT true FROM sources WHERE post_id = :post AND version = :version AND NOT gone AND NOT private FOR SHARE")
_USE = text("INSERT INTO uses (post_id, text_hash) VALUES (:post, :hash) ON CONFLICT DO NOTHING")
# In one order, so that nobody waits for whom they keep waiting.
_CLAIM = text("""
    INSERT INTO claims AS c (text_hash, source, target, provider, holder, until)
    SELECT hash, :source, :target, :provider, :holder, now() + make_interval(secs => :lease)
    FROM unnest(CAST(:hashes AS bytea[])) AS hash ORDER BY hash
    ON CONFLICT (text_hash, source, target, provider) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until WHERE c.until < now()
    RETURNING 1
""")
_RELEASE = text("DELETE FROM claims WHERE holder = :holder OR until < now() - interval '1 hour'")
_RESERVE = text("""
    INSERT INTO usage AS u (day, characters, ahead)
    SELECT (now() AT TIME ZONE 'UTC')::date, CAST(:characters AS bigint), CAST(:ahead AS bigint)
    WHERE :characters <= CAST(:budget AS bigint) AND :ahead <= CAST(:budget AS bigint) / 2
    ON CONFLICT (day) DO UPDATE SET characters = u.characters + EXCLUDED.characters, ahead = u.ahead + EXCLUDED.ahead
    WHERE u.characters + EXCLUDED.characters <= :budget AND (EXCLUDED.ahead = 0 OR u.ahead + EXCLUDED.ahead <= CAST(:budget AS bigint) / 2)
    RETURNING day
""")
_CORRECT = text("UPDATE usage SET characters = characters + :characters, ahead = ahead + :ahead WHERE day = :day")
_WISH = text("""
    INSERT INTO wishes (author_id, language) VALUES (:author, :language) ON CONFLICT (author_id, language) DO UPDATE SET asked_at = now()
""")


@dataclass(frozen=True, slots=True)
class Translation:
    """A post in another language: safe HTML, plain content warning, alt texts by media id, options of its poll."""

    content: str
    spoiler: str
    language: str
    detected: str | None
    provider: str
    descriptions: dict[str, str]
    options: list[str]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Which of the kept translations can be used."""

    source: str
    target: str
    provider: str


_Known = tuple[dict[str, str], str | None]
"""Translations by part of the post, and the language that was detected."""


class Translations:
    """Translates posts; requests for the same text and language, in whichever process, wait for one call."""

    def __init__(self, database: Database, translator: Translator, daily_budget: int) -> None:
        self._database = database
        self._translator = translator
        self._budget = daily_budget
        self._locks: WeakValueDictionary[tuple[bytes, str], asyncio.Lock] = WeakValueDictionary()

    async def translate(self, post_id: int, version: int | None, target: str, *, ahead: bool = False) -> Translation:
        """Return a post in the target language. Raises `NotFound`, `CannotTranslate`, `UnknownLanguage`, `SameLanguage`, and the provider's errors.

        `version` is what the viewer sees; a translation of anything else is never given. `ahead` spends at most half of the budget.
        """
        latest = asyncio.get_running_loop().time() + _LATEST
        source = await self._source(post_id, version)
        target = check_target(target, source.language)
        key = (text_hash("\0".join((source.html, source.spoiler, *source.descriptions.values(), *source.options))), target)
        lock = self._locks.setdefault(key, asyncio.Lock())  # there as long as anybody holds or awaits it
        async with lock:
            return await self._translated(source, target, latest, ahead=ahead)

    async def _source(self, post_id: int, version: int | None) -> Any:
        """What the post says; waits a moment for a version that is on its way."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            async with self._database.sessions() as session:
                row = (await session.execute(_SOURCE, {"post": post_id})).first()
            if row is not None and row.private:
                raise CannotTranslate
            if row is not None and not row.gone and (version is None or row.version == version):
                return row
            if asyncio.get_running_loop().time() > deadline:
                raise NotFound
            await asyncio.sleep(0.05)

    async def _translated(self, source: Any, target: str, latest: float, *, ahead: bool) -> Translation:
        captions: dict[str, str] = source.descriptions
        options = {f"option {place}": option for place, option in enumerate(source.options)}
        words = {"html": source.html, "spoiler": source.spoiler, **captions, **options}
        texts = {part: text for part, text in words.items() if text.strip()}
        pair = _Pair(source.language or "", target, self._translator.name)
        async with self._claimed(texts, pair, latest) as (known, detected):
            missing = {part: text for part, text in texts.items() if part not in known}
            if missing:
                sent = {part: marked(words) if part == "html" else marked_words(words) for part, words in missing.items()}
                made = await self._paid([one.sent for one in sent.values()], source.language, target, ahead=ahead)
                detected = made.detected or detected
                known |= {part: one.restored(given) for (part, one), given in zip(sent.items(), made.texts, strict=True)}
            async with self._database.transaction() as session:
                if not ahead:
                    await session.execute(_WISH, {"author": source.author_id, "language": target})
                if await session.scalar(_STILL, {"post": source.post_id, "version": source.version}):
                    for part, original in texts.items():
                        kept = {"hash": text_hash(original), "translated": known[part], "detected": detected}
                        if part in missing:
                            await session.execute(_KEEP, {**kept, **asdict(pair)})
                        await session.execute(_USE, {"post": source.post_id, "hash": kept["hash"]})
        return Translation(
            content=known.get("html", ""),
            spoiler=known.get("spoiler", ""),
            language=target,
            detected=detected or source.language,
            provider=self._translator.title,
            descriptions={part: known[part] for part in captions if part in known},
            options=[known[part] for part in options],
        )

    async def _cached(self, session: AsyncSession, texts: dict[str, str], pair: _Pair) -> _Known:
        hashes = {text_hash(text) for text in texts.values()}
        rows = (await session.execute(_CACHED, {"hashes": list(hashes), **asdict(pair)})).all()
        found = {bytes(row.text_hash): row.translated for row in rows}
        known = {part: found[text_hash(text)] for part, text in texts.items() if text_hash(text) in found}
        return known, next((row.detected for row in rows if row.detected), None)

    @asynccontextmanager
    async def _claimed(self, texts: dict[str, str], pair: _Pair, latest: float) -> AsyncIterator[_Known]:
        """Give what is kept already, and be the only one, in all processes, who has the rest translated.

        Raises `ProviderFailed` when it is too late for that, since others have had it translated all the time.
        """
        async with self._database.sessions() as session:
            known = await self._cached(session, texts, pair)
        if len(known[0]) == len(texts):
            yield known
            return
        holder = uuid.uuid4()
        try:
            while True:
                claimed = await self._claim(holder, texts, pair, latest)
                if claimed is not None:
                    break
                await asyncio.sleep(_LOOK)
            yield claimed
        finally:
            async with self._database.transaction() as session:
                await session.execute(_RELEASE, {"holder": holder})

    async def _claim(self, holder: uuid.UUID, texts: dict[str, str], pair: _Pair, latest: float) -> _Known | None:
        """Claim all texts that aren't kept; None while somebody else has one of them."""
        async with self._database.sessions() as session:
            known = await self._cached(session, texts, pair)
            hashes = {text_hash(text) for part, text in texts.items() if part not in known[0]}
            if not hashes:
                return known
            if asyncio.get_running_loop().time() > latest:
                raise ProviderFailed(retry_after=1)
            values = {"hashes": list(hashes), "holder": holder, "lease": _LEASE, **asdict(pair)}
            if len((await session.execute(_CLAIM, values)).all()) < len(hashes):
                return None
            await session.commit()
            return await self._cached(session, texts, pair)  # with what was kept just before it was claimed

    async def _paid(self, texts: list[str], source: str | None, target: str, *, ahead: bool) -> Translated:
        """Have texts translated, their characters taken out of the day's budget first: what others are having translated counts already."""
        reserved = sum(map(len, texts))
        async with self._database.transaction() as session:
            values = {"characters": reserved, "ahead": reserved if ahead else 0, "budget": self._budget}
            day = await session.scalar(_RESERVE, values)
        if day is None:
            raise BudgetSpent(retry_after=seconds_until_tomorrow())
        charged = reserved  # unless it is known better: a call that was cancelled may be charged, too
        try:
            made = await self._translator.translate(texts, source, target)
            charged = made.characters
        except DomainError as error:
            charged = reserved if isinstance(error, AnswerLost) else 0
            raise
        finally:
            difference = charged - reserved
            if difference:
                async with self._database.transaction() as session:
                    await session.execute(_CORRECT, {"day": day, "characters": difference, "ahead": difference if ahead else 0})
        return made
