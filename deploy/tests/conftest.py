"""One stack for all end-to-end tests, with production settings but for cheap hashing and no limits on how fast tests may go."""

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from fakes.server import serving
from fakes.translator import FakeTranslator

sys.path.insert(0, str(Path(__file__).parent))

from pages import PASSWORD, Browse
from stack import Person, Stack, start

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
def stack(tmp_path_factory: pytest.TempPathFactory, translator: FakeTranslator) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    folder.chmod(0o755)
    with serving(translator.app()) as url:
        provider = {"TRANSLATE_PROVIDER": "microsoft", "TRANSLATE_MICROSOFT_KEY": translator.key, "TRANSLATE_MICROSOFT_ENDPOINT": url}
        running = start(folder / "data", {**FAST, **provider})
        yield running
        assert running.stop() == 0


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
