"""What tests of the pages share: a browser without scripts is an HTTP client that fills in forms."""

import re
from collections.abc import Callable
from html import unescape

import httpx
from stack import Stack

PASSWORD = "correct horse battery"
INLINE = re.compile(r'<\w+(?:\s+[\w-]+(?:="[^"]*")?)*\s+(?:on\w+|style)=')
Browse = Callable[..., httpx.Client]


def words(page: httpx.Response) -> str:
    """What a page's main part says, without its markup."""
    assert page.status_code == 200, page.text
    main = page.text[page.text.index("<main") : page.text.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def apart_from_tokens(page: httpx.Response) -> str:
    """A page without what is written otherwise each time."""
    alike, tokens = re.subn(r'(?<=name="csrf_token" value=")[0-9a-f]{128}(?=")', "", page.text)
    assert tokens, "the page has no form"
    return alike


def note(stack: Stack, browser: httpx.Client, answer: httpx.Response) -> str:
    """The sentence on the page that a form leads to."""
    assert answer.status_code == 303, answer.text
    shown = re.search(r'<div class="alert alert-success" role="status">(.*?)</div>', browser.get(answer.headers["location"]).text)
    assert shown is not None
    return unescape(shown[1])


def upload(stack: Stack, browser: httpx.Client, path: str, action: str | None, files: dict[str, bytes], **fields: str) -> httpx.Response:
    """Fill in a form that has files, and send it."""
    hidden, target = stack.form(browser, path, action)
    return browser.post(
        target, data={**hidden, **fields}, files={name: (f"{name}.jpg", content, "image/jpeg") for name, content in files.items()}
    )
