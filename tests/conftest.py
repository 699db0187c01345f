"""What every test may ask for: a running stack, a client of it, and the published data."""

import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from engine.devices import gpu
from engine.errors import DeviceUnavailable
from tests.no_skips import pytest_addoption, pytest_runtest_makereport
from tests.until import CEILING
from trainshed import Client
from trainshed.stack import Stack
from worker.process.logs import Lines
from worker.process.module_loading import gc_frozen
from worker.queue.embedded_redis import EmbeddedRedis
from worker.queue.redis_server import find_server

__all__ = ["pytest_addoption", "pytest_runtest_makereport"]  # pytest looks for them here

# Threads of a backend that a test keeps open may log at any time: not into the output that another test reads.
LINES = Lines(sys.stderr)
# An exception as Python prints it: Rich would take seconds to draw one with the values of every frame.
PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], PLAIN], logger_factory=lambda *_: LINES)

# Of what hypothesis makes up every run of the suite tries some, and sixteen times as much with
# `--hypothesis-profile=thorough`.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=400, deadline=None)
settings.load_profile("quick")

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
# Folders: what starts processes must not be left to the end.
LONGEST_FIRST = ("chaos", "stack", "roads", "worker", "service")
# Files that share what takes seconds to start: a whole stack, a PostgreSQL, and a compiler of CUDA's text.
FILE_GROUPS = {
    "tests/engine/gpu/": "gpu",
    "tests/stack/": "stack",
    "tests/worker/test_store": "postgresql",
    "tests/worker/test_database": "postgresql",
    "tests/worker/test_gradient_check_processes": "postgresql",
    "tests/worker/test_backend": "postgresql",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need what a machine may lack say what is missing instead of failing."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.relative_to(REPOSITORY / "tests").parts[0], len(ranks)))
    no_data = pytest.mark.skip(reason=f"no published data sets in {SHARED_DATA}")
    missing = no_gpu() if any(item.get_closest_marker("gpu") for item in items) else ""
    for item in items:
        if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
            item.add_marker(no_data)
        if missing and item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason=missing))


def no_gpu() -> str:
    """What is missing for tests that need a GPU; empty if nothing is."""
    try:
        gpu()
    except DeviceUnavailable as error:
        return str(error)
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tests, and the modules that they import, stay to the end."""
    with gc_frozen():
        return (yield)


class GroupedFileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """pytest-xdist's scheduling of whole files, where some files go to one process together."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((group for start, group in FILE_GROUPS.items() if file.startswith(start)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> GroupedFileScheduling | None:
    """Who takes which tests."""
    return GroupedFileScheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the published data sets and vectors; for tests marked `shared_data`."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes an empty folder; pytest's own factory looks through all the others for the next number."""
    return lambda: Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis for tests that start no stack; what one test leaves in its queues is nothing to the others."""
    with EmbeddedRedis(find_server().program) as server:
        yield server.address.url


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Redis, a worker and the API as real processes; a test leaves no job running in them."""
    with Stack(ready_seconds=CEILING) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """A client of the running stack."""
    with stack.client() as connected:
        yield connected
