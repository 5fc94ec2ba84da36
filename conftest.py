"""What holds for every test of the repository."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

import gateway  # noqa: F401 - pytest names test modules after their folders, and would take `gateway/` for the package

settings.register_profile("quick", max_examples=25, derandomize=True)
settings.register_profile("chaos", max_examples=1000)
settings.load_profile("quick")


def pytest_configure(config: pytest.Config) -> None:
    """Give this session a folder of its own: pytest shuts the usual one to everybody else whenever a session of the same person begins,
    and a PostgreSQL that runs there as somebody else ends."""
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = str(Path(tempfile.mkdtemp(prefix="microblog-tests-")) / "session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, one process has all those of the one stack, first since they take longest; of the others it's file by file."""

    def on_the_stack(item: pytest.Item) -> bool:
        return "stack" in getattr(item, "fixturenames", ())

    for item in items:
        item.add_marker(pytest.mark.xdist_group("stack" if on_the_stack(item) else item.nodeid.split("::")[0]))
    items.sort(key=lambda item: not on_the_stack(item))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Take the folder away, unless somebody will want to look why a test failed."""
    folder = Path(session.config.option.basetemp or "").parent
    if exitstatus == 0 and folder.name.startswith("microblog-tests-"):
        session.config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the services do. It stands here since a plugin's fixture may lose against anyio's own."""
    return "asyncio"
