"""One stack for all end-to-end tests, with production settings but for cheap hashing and no limits on how fast tests may go."""

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from fakes.postmark import FakePostmark
from fakes.server import serving
from fakes.translator import FakeTranslator

sys.path.insert(0, str(Path(__file__).parent))

from pages import PASSWORD, Browse
from stack import HOOK_SECRET, Person, Stack, start

pytest.register_assert_rewrite("chromium")
FAST = {
    "AUTH_SIGN_UPS_PER_HALF_HOUR": "100000",
    "AUTH_ARGON2_MEMORY_KIB": "64",
    "AUTH_ARGON2_TIME": "1",
    "GATEWAY_RATE_LIMITS": "false",
}


@pytest.fixture(scope="session")
def translator() -> FakeTranslator:
    """Microsoft's translator, as far as the stack can tell."""
    return FakeTranslator()


@pytest.fixture(scope="session")
def postmark() -> FakePostmark:
    """Postmark, as far as the stack can tell: it has every mail as often as it was sent."""
    return FakePostmark()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, translator: FakeTranslator, postmark: FakePostmark) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    folder.chmod(0o755)
    with serving(translator.app()) as translate, serving(postmark.app()) as mail:
        providers = {
            "TRANSLATE_PROVIDER": "microsoft",
            "TRANSLATE_MICROSOFT_KEY": translator.key,
            "TRANSLATE_MICROSOFT_ENDPOINT": translate,
            "NOTIFY_MAIL_PROVIDER": "postmark",
            "NOTIFY_POSTMARK_URL": mail,
            "NOTIFY_POSTMARK_TOKEN": postmark.token,
            "NOTIFY_POSTMARK_WEBHOOK_SECRET": HOOK_SECRET,
        }
        running = start(folder / "data", {**FAST, **providers})
        yield running
        assert running.stop() == 0
    assert postmark.doubled() == set(), "mails that were sent twice"


@pytest.fixture
def browse(stack: Stack) -> Iterator[Browse]:
    """Opens browsers without scripts, logged in when given somebody."""
    opened: list[httpx.Client] = []

    def browser(person: Person | None = None, **headers: str) -> httpx.Client:
        client = stack.browser(**headers)
        opened.append(client)
        if person is not None:
            answer = stack.submit(client, "/login", "/login", identifier=person.name, password=PASSWORD)
            assert answer.status_code == 303, answer.text
        return client

    yield browser
    for client in opened:
        client.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test with a stack failed, show what its processes said last."""
    report = yield
    if report.failed:
        for used in getattr(item, "funcargs", {}).values():
            if isinstance(used, Stack):
                report.sections += [(f"the end of {name}'s log", words) for name, words in used.last_words().items() if words]
    return report
