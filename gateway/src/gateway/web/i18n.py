"""Languages of the pages: Babel's catalogues read from the `.po` files, times and numbers as readers write them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_compact_decimal, format_decimal

LOCALES: Final = {"en": "English", "de": "Deutsch", "es": "Español"}

_NUMBER: Final = re.compile(r"\d+")
_JUST_NOW: Final = timedelta(seconds=5)


@cache
def catalogue(locale: str) -> Catalog | None:
    """The translations of a language, None for English, which the templates are written in."""
    file = files("gateway.web") / "locale" / locale / "messages.po"
    if not file.is_file():
        return None
    with file.open("rb") as source:
        return read_po(source, locale)


@cache
def translator(locale: str) -> Callable[..., str]:
    """`_("text", name=value)` for a language; what isn't translated stays English."""
    known = catalogue(locale)

    def translate(message: str, **values: Any) -> str:
        found = known.get(message) if known is not None else None
        text = str(found.string) if found is not None and found.string else message
        return text % values if values else text

    return translate


def told(message: str, locale: str) -> str:
    """What a service says, for readers of a language. A limit that settings may change stands in the catalogue as `%(n)s`."""
    translate = translator(locale)
    numbers = _NUMBER.findall(message)
    if translate(message) == message and len(numbers) == 1:
        return translate(_NUMBER.sub("%(n)s", message.replace("%", "%%")), n=numbers[0])
    return translate(message)


def choose(wanted: str | None, accepts: str) -> str:
    """The language to show: what was chosen, else the first of the browser's that there is, else English."""
    if wanted in LOCALES:
        return str(wanted)
    for part in accepts.split(","):
        language = part.split(";", 1)[0].strip().split("-")[0].lower()
        if language in LOCALES:
            return language
    return "en"


def ago(moment: str, locale: str) -> str:
    """How long ago an API time was, or how far away it is, in short; clocks that differ a little make nothing new come from the future."""
    away = datetime.fromisoformat(moment) - datetime.now(UTC)
    away = away if away < timedelta() or away > _JUST_NOW else timedelta(seconds=-1)
    length: Literal["short", "long"] = "short" if away < timedelta() else "long"  # in short, Babel has no German months to come
    return format_timedelta(away, locale=Locale.parse(locale), format=length, add_direction=True)


def full(moment: str, locale: str) -> str:
    """An API time in full, to the minute."""
    when, language = datetime.fromisoformat(moment).astimezone(UTC), Locale.parse(locale)
    return f"{format_date(when, 'long', locale=language)}, {format_time(when, 'short', locale=language)} UTC"


def number(count: int, locale: str) -> str:
    """A count as readers write it, from ten thousand on in short."""
    if count < 10_000:
        return format_decimal(count, locale=Locale.parse(locale))
    return format_compact_decimal(count, locale=Locale.parse(locale), fraction_digits=1)


def language_name(code: str | None, locale: str) -> str:
    """What a language is called by the reader."""
    if not code:
        return ""
    return str(Locale.parse(locale).languages.get(code.split("-")[0], code))
