"""What holds for every test of the repository."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import gateway  # noqa: F401 - pytest names test modules after their folders, and would take `gateway/` for the package

_STACKS_OF_THEIR_OWN = ("deploy/tests/test_chaos.py", "deploy/tests/test_kill.py", "deploy/tests/test_runner.py")

settings.register_profile("quick", max_examples=25, derandomize=True)
settings.register_profile("chaos", max_examples=1000)
settings.load_profile("quick")


def pytest_configure(config: pytest.Config) -> None:
    """Give this session a folder of its own: pytest shuts the usual one to everybody else whenever a session of the same person begins,
    and a PostgreSQL that runs there as somebody else ends."""
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = str(Path(tempfile.mkdtemp(prefix="microblog-tests-")) / "session")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where tests run side by side, one process has all that share a stack, another those that start and kill their own; the rest goes
    file by file.

    (Marks of `xdist_group` would say the same, but pytest-xdist 3.8 loses them with pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(_STACKS_OF_THEIR_OWN):
                return "stacks of their own"
            return "the stack" if nodeid.startswith("deploy/tests/") else nodeid.split("::", 1)[0]

    return Scheduling(config, log)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Take the folder away, unless somebody will want to look why a test failed."""
    folder = Path(session.config.option.basetemp or "").parent
    if exitstatus == 0 and folder.name.startswith("microblog-tests-"):
        session.config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the services do. It stands here since a plugin's fixture may lose against anyio's own."""
    return "asyncio"
