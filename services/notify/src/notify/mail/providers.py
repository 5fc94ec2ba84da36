"""How mail leaves: by Postmark, by SMTP, or into a folder."""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Any, Final, Protocol

import aiosmtplib
import httpx

from notify.mail.messages import Message
from notify.settings import Settings

SENT: Final = "sent"
RETRY: Final = "retry"
UNKNOWN: Final = "unknown"
FAILED: Final = "failed"
SUPPRESSED: Final = "suppressed"
OUTDATED: Final = "outdated"
ALARM: Final = "alarm"
"""Our own configuration is refused: nothing goes out before somebody looks."""

_BATCH: Final = 500
_LONGEST: Final = 30.0
"""Seconds that one call may take, however slowly the other side speaks: a quarter of what a claim lives."""

_UNFOLDED: Final = SMTP.clone(max_line_length=998, cte_type="7bit")
"""Lines as long as RFC 5322 allows: a folded `List-Unsubscribe` would be encoded as words, and no program finds its address in those."""

_STOP_CODES: Final = frozenset({10, 400, 401, 405, 412, 413, 1235, 1236})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail: one of the words above, the provider's id, a reason without addresses, seconds until the next try."""

    what: str
    message_id: str | None = None
    reason: str | None = None
    pause: float | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that the provider sends nothing to."""

    address: str
    reason: str
    since: datetime


class Unanswered(Exception):
    """The provider couldn't be asked, or answered what nobody understands."""


class Provider(Protocol):
    """Sends mails; every mail gets an outcome, nothing is raised."""

    can_find: bool
    batch: int
    """How many mails it takes at once."""

    streams: tuple[str, ...]
    """The streams whose suppressions it tells."""

    async def send(self, messages: list[Message]) -> list[Outcome]: ...

    async def find(self, dedupe_key: str) -> str | None:
        """The provider's id of a mail that it took; None when it didn't, or can't tell. Raises `Unanswered`."""
        ...

    def stream_of(self, *, broadcast: bool) -> str:
        """The stream that such mails go by; an address may be suppressed in one and not in another. Empty where there are no streams."""
        ...

    async def suppressions(self, stream: str) -> list[Suppression]:
        """All addresses that get nothing by a stream. Raises `Unanswered`."""
        ...

    async def reactivate(self, stream: str, address: str) -> None:
        """Have an address that was suppressed at its owner's wish get mail again. Raises `Unanswered`."""
        ...

    async def close(self) -> None: ...


def provider_of(settings: Settings) -> Provider:
    """The provider that the settings name."""
    if settings.mail_provider == "postmark":
        return Postmark(settings)
    return Smtp(settings) if settings.mail_provider == "smtp" else Folder(Path(settings.mail_folder or "."), settings.mail_from)


class _Streamless:
    """What all share that have no streams and keep no list."""

    streams: tuple[str, ...] = ()
    batch = 1

    def stream_of(self, *, broadcast: bool) -> str:
        return ""

    async def suppressions(self, stream: str) -> list[Suppression]:
        return []

    async def reactivate(self, stream: str, address: str) -> None:
        return

    async def close(self) -> None:
        return


class Folder(_Streamless):
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

    def _write(self, message: Message) -> Outcome:
        name = f"{token_of(message.dedupe_key)}.eml"
        try:
            temporary = self._folder / f".{name}.new"
            temporary.write_bytes(bytes(as_email(message, self._sender)))
            temporary.rename(self._folder / name)
        except OSError as error:
            return Outcome(RETRY, reason=type(error).__name__)
        return Outcome(SENT, name)


class Smtp(_Streamless):
    """Any mail server. It can't be asked what it took, so a mail of unknown outcome is not sent again, unless somebody waits for it."""

    can_find = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, messages: list[Message]) -> list[Outcome]:
        return [await self._send_one(message) for message in messages]

    async def find(self, dedupe_key: str) -> str | None:
        return None

    async def _send_one(self, message: Message) -> Outcome:
        settings = self._settings
        email = as_email(message, settings.mail_from)
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=20,
        )
        handed_over = False
        try:
            async with asyncio.timeout(_LONGEST):
                await client.connect()
                await client.mail(parseaddr(settings.mail_from)[1])
                await client.rcpt(message.address)
                handed_over = True
                await client.data(bytes(email))  # as bytes: the library would fold the headers of a message again
        except aiosmtplib.SMTPRecipientRefused as error:
            return _refused(error)
        except aiosmtplib.SMTPResponseException as error:
            permanent = FAILED if handed_over else ALARM  # before that, nothing was said of this mail
            return Outcome(permanent if error.code >= 500 else RETRY, reason=f"answer {error.code}")
        except ValueError as error:
            return Outcome(FAILED, reason=type(error).__name__)
        except (aiosmtplib.SMTPException, OSError) as error:  # a TimeoutError is an OSError
            return Outcome(UNKNOWN if handed_over else RETRY, reason=type(error).__name__)
        finally:
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=1)
            client.close()
        return Outcome(SENT, str(email["Message-ID"]))


class Postmark:
    """Postmark's HTTP API. It has no idempotency key: what it took is asked by the metadata that every mail carries."""

    can_find = True
    batch = _BATCH

    def __init__(self, settings: Settings) -> None:
        token = settings.postmark_token.get_secret_value() if settings.postmark_token else ""
        self._settings = settings
        self._client = httpx.AsyncClient(
            base_url=settings.postmark_url,
            timeout=httpx.Timeout(20, connect=5),
            headers={"X-Postmark-Server-Token": token, "Accept": "application/json", "Content-Type": "application/json"},
        )
        self.streams = tuple({settings.postmark_stream, settings.postmark_broadcast_stream})

    async def close(self) -> None:
        await self._client.aclose()

    def stream_of(self, *, broadcast: bool) -> str:
        return self._settings.postmark_broadcast_stream if broadcast else self._settings.postmark_stream

    async def send(self, messages: list[Message]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for start in range(0, len(messages), _BATCH):
            outcomes += await self._send_some(messages[start : start + _BATCH])
        return outcomes

    async def find(self, dedupe_key: str) -> str | None:
        params = {"count": "1", "offset": "0", "metadata_dedupe-key": token_of(dedupe_key)}
        found = (await self._ask("GET", "/messages/outbound", params=params)).get("Messages")
        if not isinstance(found, list):
            raise Unanswered("no list of messages")
        return str(found[0]["MessageID"]) if found else None

    async def suppressions(self, stream: str) -> list[Suppression]:
        found = (await self._ask("GET", f"/message-streams/{stream}/suppressions/dump")).get("Suppressions")
        if not isinstance(found, list):
            raise Unanswered("no list of suppressions")
        return [Suppression(one["EmailAddress"], one["SuppressionReason"], datetime.fromisoformat(one["CreatedAt"])) for one in found]

    async def reactivate(self, stream: str, address: str) -> None:
        asked = {"Suppressions": [{"EmailAddress": address}]}
        await self._ask("POST", f"/message-streams/{stream}/suppressions/delete", json=asked)

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_LONGEST):
                answer = await self._client.request(method, path, **more)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unanswered(type(error).__name__) from error
        if answer.status_code != 200:
            raise Unanswered(f"status {answer.status_code}")
        return _json(answer)

    async def _send_some(self, messages: list[Message]) -> list[Outcome]:
        one = len(messages) == 1
        body: Any = self._body(messages[0]) if one else [self._body(message) for message in messages]
        try:
            async with asyncio.timeout(_LONGEST):
                answer = await self._client.post("/email" if one else "/email/batch", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return [Outcome(RETRY, reason=type(error).__name__)] * len(messages)
        except (httpx.HTTPError, TimeoutError) as error:  # it may have been taken before the line broke
            return [Outcome(UNKNOWN, reason=type(error).__name__)] * len(messages)
        if one:
            return [_judge(answer.status_code, _json(answer))]
        if answer.status_code == 200:
            return _judge_each(answer, len(messages))
        if answer.status_code in (413, 422):  # something about these, and nothing was taken: one alone is told what
            middle = len(messages) // 2
            return await self._send_some(messages[:middle]) + await self._send_some(messages[middle:])
        return [_judge(answer.status_code, _json(answer))] * len(messages)

    def _body(self, message: Message) -> dict[str, Any]:
        headers = {} if message.broadcast else message.headers  # on broadcast streams Postmark adds its own unsubscribe headers
        return {
            "From": self._settings.mail_from,
            "To": message.address,
            "Subject": message.subject,
            "TextBody": message.text,
            "HtmlBody": message.html,
            "MessageStream": self.stream_of(broadcast=message.broadcast),
            "Tag": message.kind,
            "Metadata": {"dedupe-key": token_of(message.dedupe_key), "mail": str(message.mail_id)},
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


def _refused(refused: aiosmtplib.SMTPRecipientRefused) -> Outcome:
    """What it means that a server took no mail for an address: that there is none (RFC 5321, 4.2.3) only if it says so, and names no policy
    (RFC 3463, X.7) as its reason."""
    if refused.code < 500:
        return Outcome(RETRY, reason=f"recipient refused, {refused.code}")
    gone = refused.code in (550, 551, 553) and not refused.message.startswith("5.7.")
    return Outcome(SUPPRESSED if gone else FAILED, reason=f"recipient refused, {refused.code}")


def _judge(status: int, told: dict[str, Any]) -> Outcome:
    """What an answer of Postmark means; the HTTP status first, since its codes 500 to 522 are about signatures.

    Whatever isn't about the mail itself, such as a wrong address of the API, alarms: the mail waits until that is mended.
    """
    code = told.get("ErrorCode")
    reason = f"status {status}, code {code}"
    if status == 200:
        if code == 0:
            return Outcome(SENT, str(told.get("MessageID")))
        if not isinstance(code, int):
            return Outcome(UNKNOWN, reason="status 200, unreadable")
    if status in (429, 503) or code in (100, 429):
        return Outcome(RETRY, reason=reason)
    if status >= 500:
        return Outcome(UNKNOWN, reason=f"status {status}")
    if code == 406:
        return Outcome(SUPPRESSED, reason="inactive recipient")
    if status not in (200, 413, 422) or code in _STOP_CODES:
        return Outcome(ALARM, reason=reason)
    return Outcome(FAILED, reason=reason)


def _judge_each(answer: httpx.Response, count: int) -> list[Outcome]:
    """What the answer to a batch means for each of its mails, in their order."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, list) or len(told) != count:
        return [Outcome(UNKNOWN, reason="status 200, unreadable")] * count
    return [_judge(200, item if isinstance(item, dict) else {}) for item in told]


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def token_of(dedupe_key: str) -> str:
    """The key without anything that could say whom it is about."""
    return hashlib.sha256(dedupe_key.encode()).hexdigest()[:32]
