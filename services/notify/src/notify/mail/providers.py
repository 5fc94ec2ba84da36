"""How mail leaves: by Postmark, by SMTP, or into a folder."""

import hashlib
import logging
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Any, Final, Protocol

import aiosmtplib
import httpx

from notify.mail.messages import Message
from notify.settings import Settings

log = logging.getLogger(__name__)

SENT: Final = "sent"
RETRY: Final = "retry"
UNKNOWN: Final = "unknown"
FAILED: Final = "failed"
SUPPRESSED: Final = "suppressed"
ALARM: Final = "alarm"
"""Our own configuration is refused: nothing goes out before somebody looks."""

_BATCH: Final = 500
_UNFOLDED: Final = SMTP.clone(max_line_length=998, cte_type="7bit")
"""Lines as long as RFC 5322 allows: a folded `List-Unsubscribe` would be encoded as words, and no program finds its address in those."""

_STOP_CODES: Final = frozenset({10, 400, 401, 405, 412, 413, 1235, 1236})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail: one of the words above, the provider's id, a reason without addresses."""

    what: str
    message_id: str | None = None
    reason: str | None = None


class Provider(Protocol):
    """Sends mails; every mail gets an outcome, nothing is raised."""

    async def send(self, messages: list[Message]) -> list[Outcome]: ...

    async def find(self, dedupe_key: str) -> str | None:
        """The provider's id of a mail that it took, if it can tell; None when it didn't, or can't."""
        ...

    can_find: bool

    async def close(self) -> None: ...


def provider_of(settings: Settings) -> Provider:
    """The provider that the settings name."""
    if settings.mail_provider == "postmark":
        return Postmark(settings)
    return Smtp(settings) if settings.mail_provider == "smtp" else Folder(Path(settings.mail_folder or "."), settings.mail_from)


class Folder:
    """One `.eml` file a mail; its name comes from the dedupe key, so that repeating replaces it."""

    can_find = True

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender
        folder.mkdir(parents=True, exist_ok=True)

    async def send(self, messages: list[Message]) -> list[Outcome]:
        return [self._write(message) for message in messages]

    async def find(self, dedupe_key: str) -> str | None:
        file = self._folder / f"{token_of(dedupe_key)}.eml"
        return file.name if file.exists() else None

    async def close(self) -> None:
        return

    def _write(self, message: Message) -> Outcome:
        name = f"{token_of(message.dedupe_key)}.eml"
        try:
            temporary = self._folder / f".{name}.new"
            temporary.write_bytes(bytes(as_email(message, self._sender)))
            temporary.rename(self._folder / name)
        except OSError as error:
            return Outcome(RETRY, reason=type(error).__name__)
        return Outcome(SENT, name)


class Smtp:
    """Any mail server. It can't be asked what it took, so a mail of unknown outcome is sent once more, with the same Message-ID."""

    can_find = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, messages: list[Message]) -> list[Outcome]:
        return [await self._send_one(message) for message in messages]

    async def find(self, dedupe_key: str) -> str | None:
        return None

    async def close(self) -> None:
        return

    async def _send_one(self, message: Message) -> Outcome:
        settings = self._settings
        email = as_email(message, settings.mail_from)
        try:
            await aiosmtplib.send(
                bytes(email),  # it would fold the headers of a message again
                sender=parseaddr(settings.mail_from)[1],
                recipients=[message.address],
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_user,
                password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                timeout=20,
            )
        except aiosmtplib.SMTPAuthenticationError as error:
            return Outcome(ALARM, reason=f"log-in refused, {error.code}")
        except aiosmtplib.SMTPRecipientsRefused as error:
            permanent = all(refused.code >= 500 for refused in error.recipients)
            return Outcome(SUPPRESSED if permanent else RETRY, reason="recipient refused")
        except aiosmtplib.SMTPResponseException as error:
            return Outcome(FAILED if error.code >= 500 else RETRY, reason=f"answer {error.code}")
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPConnectTimeoutError) as error:
            return Outcome(RETRY, reason=type(error).__name__)
        except (aiosmtplib.SMTPException, OSError) as error:
            return Outcome(UNKNOWN, reason=type(error).__name__)
        return Outcome(SENT, str(email["Message-ID"]))


class Postmark:
    """Postmark's HTTP API. It has no idempotency key: what it took is asked by the metadata that every mail carries."""

    can_find = True

    def __init__(self, settings: Settings) -> None:
        token = settings.postmark_token.get_secret_value() if settings.postmark_token else ""
        self._settings = settings
        self._client = httpx.AsyncClient(
            base_url=settings.postmark_url,
            timeout=httpx.Timeout(20, connect=5),
            headers={"X-Postmark-Server-Token": token, "Accept": "application/json", "Content-Type": "application/json"},
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, messages: list[Message]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for start in range(0, len(messages), _BATCH):
            outcomes += await self._send_some(messages[start : start + _BATCH])
        return outcomes

    async def find(self, dedupe_key: str) -> str | None:
        """Search by metadata; raises `httpx.HTTPError` when Postmark can't be asked."""
        params: dict[str, str | int] = {"count": 1, "offset": 0, "metadata_dedupe-key": token_of(dedupe_key)}
        answer = await self._client.get("/messages/outbound", params=params)
        answer.raise_for_status()
        found = answer.json()["Messages"]
        return str(found[0]["MessageID"]) if found else None

    async def _send_some(self, messages: list[Message]) -> list[Outcome]:
        one = len(messages) == 1
        body: Any = self._body(messages[0]) if one else [self._body(message) for message in messages]
        try:
            answer = await self._client.post("/email" if one else "/email/batch", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return [Outcome(RETRY, reason=type(error).__name__)] * len(messages)
        except httpx.HTTPError as error:  # it may have been taken before the line broke
            return [Outcome(UNKNOWN, reason=type(error).__name__)] * len(messages)
        if answer.status_code == 200 and not one:
            return [_judge(200, item) for item in answer.json()]
        return [_judge(answer.status_code, _json(answer))] * len(messages)

    def _body(self, message: Message) -> dict[str, Any]:
        stream = self._settings.postmark_broadcast_stream if message.broadcast else self._settings.postmark_stream
        headers = {} if message.broadcast else message.headers  # on broadcast streams Postmark adds its own unsubscribe headers
        return {
            "From": self._settings.mail_from,
            "To": message.address,
            "Subject": message.subject,
            "TextBody": message.text,
            "HtmlBody": message.html,
            "MessageStream": stream,
            "Tag": message.kind,
            "Metadata": {"dedupe-key": token_of(message.dedupe_key)},
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
        }


def as_email(message: Message, sender: str) -> EmailMessage:
    """The mail as RFC 5322 has it; the Message-ID is the same however often it is made."""
    email = EmailMessage(policy=_UNFOLDED)
    domain = parseaddr(sender)[1].partition("@")[2] or "localhost"
    email["From"], email["To"], email["Subject"] = sender, message.address, message.subject
    email["Date"], email["Message-ID"] = formatdate(), f"<{token_of(message.dedupe_key)}@{domain}>"
    email["Auto-Submitted"] = "auto-generated"
    for name, value in message.headers.items():
        email[name] = value
    email.set_content(message.text)
    email.add_alternative(message.html, subtype="html")
    return email


def _judge(status: int, told: dict[str, Any]) -> Outcome:
    """What an answer of Postmark means; the HTTP status first, since its codes 500 to 522 are about signatures."""
    code = told.get("ErrorCode", -1)
    if status == 200 and code == 0:
        return Outcome(SENT, str(told.get("MessageID")))
    if status in (429, 503) or code in (100, 429):
        return Outcome(RETRY, reason=f"status {status}, code {code}")
    if status >= 500:
        return Outcome(UNKNOWN, reason=f"status {status}")
    if code == 406:
        return Outcome(SUPPRESSED, reason="inactive recipient")
    if status == 401 or code in _STOP_CODES:
        return Outcome(ALARM, reason=f"status {status}, code {code}")
    return Outcome(FAILED, reason=f"status {status}, code {code}")


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def token_of(dedupe_key: str) -> str:
    """The key without anything that could say whom it is about."""
    return hashlib.sha256(dedupe_key.encode()).hexdigest()[:32]
