"""One stack for all end-to-end tests, with production settings but for cheap hashing and no limits on how fast tests may go."""

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from fakes.collector import FakeCollector
from fakes.postmark import FakePostmark
from fakes.server import serving
from fakes.translator import FakeTranslator

sys.path.insert(0, str(Path(__file__).parent))

import composed
from pages import PASSWORD, Browse
from stack import HOOK_SECRET, Person, Stack, start

pytest.register_assert_rewrite("chromium")
FAST = {
    "AUTH_SIGN_UPS_PER_HALF_HOUR": "100000",
    "AUTH_ARGON2_MEMORY_KIB": "64",
    "AUTH_ARGON2_TIME": "1",
    "GATEWAY_RATE_LIMITS": "false",
}


SLOW_ON_CONTAINERS = ("test_operator.py", "test_traces.py")


@pytest.fixture(scope="session")
def collector() -> FakeCollector:
    """What OpenTelemetry's collector would have been sent."""
    return FakeCollector()


@pytest.fixture(scope="session")
def translator() -> FakeTranslator:
    """Microsoft's translator, as far as the stack can tell."""
    _not_in_containers()
    return FakeTranslator()


@pytest.fixture(scope="session")
def postmark() -> FakePostmark:
    """Postmark, as far as the stack can tell: it has every mail as often as it was sent."""
    _not_in_containers()
    return FakePostmark()


def _not_in_containers() -> None:
    if composed.wanted():
        pytest.skip("containers don't reach the providers of the tests")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On containers only what asks the stack is run: the rest is about the local runner, starts stacks of its own, or takes an hour."""
    if not composed.wanted():
        return
    chosen = [
        item
        for item in items
        if item.path.name in SLOW_ON_CONTAINERS
        or ("stack" in getattr(item, "fixturenames", ()) and item.get_closest_marker("slow") is None)
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    folder.chmod(0o755)
    if composed.wanted():
        yield from _in_containers(folder, request.getfixturevalue("collector"))
        return
    translator: FakeTranslator = request.getfixturevalue("translator")
    postmark: FakePostmark = request.getfixturevalue("postmark")
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


def _in_containers(folder: Path, collector: FakeCollector) -> Iterator[Stack]:
    """All tests come from one address there, so that nobody may count who logs in how often."""
    with serving(collector.app(), host=composed.bridge()) as told:
        settings = {"AUTH_THROTTLES": "false", "NOTIFY_POSTMARK_WEBHOOK_SECRET": HOOK_SECRET, "MICROBLOG_OTLP_ENDPOINT": told}
        running = composed.ComposedStack(folder, FAST | settings)
        try:
            running.up()
            yield running
        finally:
            assert running.stop() == 0


@pytest.fixture
def throttled() -> None:
    """Only where it is counted who guesses."""
    if composed.wanted():
        pytest.skip("everybody comes from one address to the containers, so that nobody is counted")


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
