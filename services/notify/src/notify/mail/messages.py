"""What mails say: text and HTML from templates, in the reader's language."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

LOCALES: Final = ("en", "de", "es")

_SUBJECTS: Final = {
    "confirmation": "Confirm your address",
    "reset": "Choose a new password",
    "notice": "Your password was changed",
    "follow": "%(actor)s follows you",
    "comment": "%(actor)s answered you",
    "announcement": "News from %(title)s",
}


@dataclass(frozen=True, slots=True)
class Message:
    """A mail that is ready to be sent. `broadcast` goes by the provider's stream for many."""

    dedupe_key: str
    kind: str
    address: str
    subject: str
    text: str
    html: str
    broadcast: bool = False
    mail_id: int = 0
    """The row of the ledger."""

    headers: dict[str, str] = field(default_factory=dict)


def compose(
    kind: str, dedupe_key: str, address: str, locale: str, details: dict[str, Any], unsubscribe: str | None = None, mail_id: int = 0
) -> Message:
    """Write a mail. `details` feeds the template of its kind; `unsubscribe` is the one-click address (RFC 8058) of mails that may be refused."""
    language = locale if locale in LOCALES else "en"
    environment = _environment(language)
    context = {**details, "unsubscribe": unsubscribe, "language": language}
    subject = str(environment.globals["_"](_SUBJECTS[kind])) % {"actor": "", "title": "", **details}  # type: ignore[operator]
    headers = {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if unsubscribe else {}
    return Message(
        dedupe_key=dedupe_key,
        kind=kind,
        address=address,
        subject=" ".join(subject.split()),
        text=environment.get_template(f"{kind}.txt").render(context).strip() + "\n",
        html=environment.get_template("mail.html").render(context, kind=kind, subject=subject),
        broadcast=kind == "announcement",
        mail_id=mail_id,
        headers=headers,
    )


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=PackageLoader("notify"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    catalogue = catalogue_of(language)

    def translate(message: str, **values: Any) -> str:
        found = catalogue.get(message) if catalogue is not None else None
        text = str(found.string) if found is not None and found.string else message
        return text % values if values else text

    made.globals["_"] = translate
    made.filters["paragraphs"] = _paragraphs
    return made


@cache
def catalogue_of(language: str) -> Catalog | None:
    """The translations of a language, None for English."""
    file = files("notify") / "locale" / language / "messages.po"
    if not file.is_file():
        return None
    with file.open("rb") as source:
        return read_po(source, language)


def _paragraphs(text: str) -> Markup:
    """Plain text as escaped HTML paragraphs; addresses become links."""
    escaped = str(Markup.escape(str(text)))  # a block of a template says of itself that it is safe: it isn't, names and excerpts are in it
    parts = [part.replace("\n", "<br>") for part in escaped.strip().split("\n\n")]
    linked = [f'<a href="{part}">{part}</a>' if part.startswith(("http://", "https://")) and " " not in part else part for part in parts]
    return Markup("".join(f"<p>{part}</p>" for part in linked))  # noqa: S704 - escaped above
