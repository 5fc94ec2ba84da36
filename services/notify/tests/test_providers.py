"""Mail by SMTP to a real server on a socket, and into a folder."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from notify.mail import ledger
from notify.mail.messages import Message as Mail
from notify.mail.messages import compose
from notify.mail.providers import provider_of, token_of

if TYPE_CHECKING:
    from .conftest import Office

pytestmark = pytest.mark.anyio


@dataclass
class SmtpServer:
    """As much of RFC 5321 as a client needs; `answers` replaces what it says to a command, `cut` ends the line at one."""

    answers: dict[str, bytes] = field(default_factory=dict)
    cut: str = ""
    took: list[bytes] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test ESMTP\r\n")
        while line := await reader.readline():
            command = line.split(None, 1)[0].decode().upper()
            if command == self.cut:
                break
            if command == "DATA" and "DATA" not in self.answers:
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.took.append(data.removesuffix(b".\r\n"))
                if self.cut == "TAKEN":
                    break
                writer.write(self.answers.get("TAKEN", b"250 taken\r\n"))
                continue
            said = {"EHLO": b"250-test\r\n250 8BITMIME\r\n", "QUIT": b"221 bye\r\n"}.get(command, b"250 ok\r\n")
            writer.write(self.answers.get(command, said))
            if command == "QUIT":
                break
        writer.close()


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    made = SmtpServer()
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def mail(name: str = "Bob", address: str = "ada@example.org") -> Mail:
    told = {
        "actor": name,
        "actor_username": "bob",
        "title": "Microblog",
        "public_url": "https://microblog.example",
        "username": "ada",
        "link": None,
    }
    return compose("follow", "follow:1:x", address, "en", told, "https://microblog.example/unsubscribe?token=" + "t" * 120)


def read(data: bytes) -> Message:
    return message_from_bytes(data, policy=default)


async def test_a_mail_by_smtp_has_the_headers_that_programs_look_for(office: "Office", smtp: SmtpServer) -> None:
    provider = provider_of(office.settings(mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none"))
    (outcome,) = await provider.send([mail()])
    assert outcome.what == "sent"
    email = read(smtp.took[0])
    assert (email["From"], email["To"], email["Subject"]) == ("Microblog <news@microblog.example>", "ada@example.org", "Bob follows you")
    assert email["Message-ID"] == f"<{token_of('follow:1:x')}@microblog.example>"
    assert b"\r\nList-Unsubscribe: <https://microblog.example/unsubscribe?token=" + b"t" * 120 + b">\r\n" in smtp.took[0]
    assert email["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert isinstance(email, EmailMessage)
    assert [part.get_content_type() for part in email.iter_parts()] == ["text/plain", "text/html"]


async def test_a_name_cannot_bring_headers_or_markup_of_its_own(office: "Office", smtp: SmtpServer) -> None:
    provider = provider_of(office.settings(mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none"))
    await provider.send([mail("Eve\r\nBcc: x@example.org\r\n\r\n<script>alert(1)</script>")])
    email = read(smtp.took[0])
    assert email["Bcc"] is None
    assert isinstance(email, EmailMessage)
    html = email.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()


@pytest.mark.parametrize(
    ("answers", "cut", "what"),
    [
        ({"RCPT": b"550 5.1.1 no such user\r\n"}, "", "suppressed"),
        ({"RCPT": b"550 5.7.1 we don't like where you come from\r\n"}, "", "failed"),
        ({"RCPT": b"552 full\r\n"}, "", "failed"),
        ({"RCPT": b"451 later\r\n"}, "", "retry"),
        ({"MAIL": b"421 busy\r\n"}, "", "retry"),
        ({"MAIL": b"550 not from you\r\n"}, "", "alarm"),
        ({}, "EHLO", "retry"),
        ({}, "RCPT", "retry"),
        ({"TAKEN": b"554 refused\r\n"}, "", "failed"),
        ({}, "TAKEN", "unknown"),
    ],
)
async def test_answers_of_a_mail_server_mean_what_they_say(
    office: "Office", smtp: SmtpServer, answers: dict[str, bytes], cut: str, what: str
) -> None:
    smtp.answers, smtp.cut = answers, cut
    provider = provider_of(office.settings(mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none"))
    (outcome,) = await provider.send([mail()])
    assert outcome.what == what
    assert "ada@" not in (outcome.reason or "")


async def test_what_a_mail_server_perhaps_took_is_not_sent_again(office: "Office", smtp: SmtpServer) -> None:
    ada = office.register("ada")
    sender = office.sender(mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none")
    await office.plan(ada)
    smtp.cut = "TAKEN"
    await sender.send_some()
    smtp.cut = ""
    await sender.settle_unknown()
    assert (await sender.send_some(), await office.states(), len(smtp.took)) == (0, {"follow:1:x": "doubtful"}, 1)


@pytest.mark.parametrize(("kind", "states"), [("follow", ["doubtful"]), ("reset", ["new", "new", "doubtful"])])
async def test_a_sender_that_dies_while_a_mail_server_takes_the_mail_leaves_it_in_doubt_unless_somebody_waits_for_it(
    office: "Office", smtp: SmtpServer, kind: str, states: list[str]
) -> None:
    sender = office.sender(mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none")
    await office.plan(office.register("ada"), "key", kind, request_id=1)
    for state in states:
        await ledger.begin(office.database, await ledger.claim(office.database, 20))
        await office.age_claims()
        await sender.settle_unknown()
        assert await office.states() == {"key": state}


async def test_an_address_that_a_mail_server_does_not_know_gets_no_more_mail(office: "Office", smtp: SmtpServer) -> None:
    ada = office.register("ada")
    sender = office.sender(mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="none")
    smtp.answers = {"RCPT": b"550 5.1.1 no such user\r\n"}
    await office.plan(ada)
    await sender.send_some()
    smtp.answers = {}
    await office.plan(ada, "announcement:1:1", "announcement")
    await sender.send_batch()
    assert (await office.states(), smtp.took) == ({"follow:1:x": "suppressed", "announcement:1:1": "suppressed"}, [])


async def test_a_server_that_is_not_there_took_nothing(office: "Office") -> None:
    provider = provider_of(office.settings(mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=1, smtp_security="none"))
    (outcome,) = await provider.send([mail()])
    assert outcome.what == "retry"


async def test_a_folder_has_one_file_a_mail_however_often_it_is_sent(office: "Office", tmp_path: Path) -> None:
    provider = provider_of(office.settings(mail_provider="file"))
    for _ in range(2):
        (outcome,) = await provider.send([mail()])
    (file,) = (tmp_path / "mail").glob("*.eml")
    assert (outcome.what, await provider.find("follow:1:x")) == ("sent", file.name)
    assert read(file.read_bytes())["Subject"] == "Bob follows you"
    assert await provider.find("follow:1:other") is None


@pytest.mark.parametrize(
    ("provider", "variable"), [("postmark", "NOTIFY_POSTMARK_TOKEN"), ("smtp", "NOTIFY_SMTP_HOST"), ("file", "NOTIFY_MAIL_FOLDER")]
)
async def test_a_provider_that_lacks_a_setting_names_it(office: "Office", provider: str, variable: str) -> None:
    with pytest.raises(ValueError, match=variable):
        office.settings(mail_provider=provider, postmark_token=None, smtp_host=None, mail_folder=None)


@pytest.mark.parametrize(
    ("locale", "subject"), [("en", "Bob follows you"), ("de", "Bob folgt dir"), ("es", "Bob te sigue"), ("ja", "Bob follows you")]
)
async def test_mails_are_written_in_the_readers_language(locale: str, subject: str) -> None:
    told = {
        "actor": "Bob",
        "actor_username": "bob",
        "title": "Microblog",
        "public_url": "https://x.example",
        "username": "ada",
        "link": None,
    }
    assert compose("follow", "k", "ada@example.org", locale, told, None).subject == subject
