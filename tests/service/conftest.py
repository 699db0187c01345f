"""A real service on a real port, without a worker: uvicorn in a thread, over a backend on SQLite."""

from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from service.http.client_timeouts import Patience
from tests.service.contract import Contract
from tests.service.running import Running, served
from tests.service.stored import Snapshot, Stored
from tests.service.work import Work
from tests.until import CEILING
from worker.backend import Backend, open_backend
from worker.domain.principals import LOCAL
from worker.process.child import WorkerProcess
from worker.settings import Settings
from worker.workspace import Workspace


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Settings:
    """Small limits, so that tests can pass them quickly, and leases that no clock ends."""
    folder = tmp_path_factory.mktemp("service")
    return Settings(
        data_dir=folder, redis_url=redis_url, port=0, max_upload_bytes=2 * 1024 * 1024, lease_seconds=1000.0
    )


@pytest.fixture(scope="session")
def opened(settings: Settings) -> Iterator[Backend]:
    with open_backend(settings) as backend:
        yield backend


@pytest.fixture(scope="session")
def backend(opened: Backend) -> Workspace:
    """What the local principal may ask."""
    return opened.on_behalf_of(LOCAL)


@pytest.fixture(scope="session")
def running(opened: Backend, settings: Settings) -> Iterator[Running]:
    """The service, as patient with its clients as any."""
    with served(opened, settings, Patience()) as service:
        yield service


@pytest.fixture(scope="session")
def contract(running: Running) -> Contract:
    """What the service's OpenAPI document promises."""
    return Contract(httpx.get(f"{running.url}/openapi.json", timeout=CEILING).json())


@pytest.fixture(scope="session")
def client(running: Running, contract: Contract) -> Iterator[httpx.Client]:
    """Every answer must be one that is documented.

    Every request has a connection of its own: one that is left half read disturbs no other.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    hooks = {"response": [contract.check]}
    with httpx.Client(base_url=running.url, timeout=90, limits=limits, event_hooks=hooks) as connected:
        yield connected


@pytest.fixture
def stored(backend: Workspace, settings: Settings) -> Snapshot:
    """What was stored when the test began, and, when called, what is stored now."""
    return Snapshot(lambda: Stored.of(backend, settings))


@pytest.fixture
def work(settings: Settings) -> Iterator[Work]:
    """The worker's part, done by hand: no process, but the worker's own store."""
    with Work.on(settings) as hand:
        yield hand


@pytest.fixture
def job(client: httpx.Client) -> Callable[..., str]:
    """Submit a small job; returns its id."""

    def submit(**fields: object) -> str:
        spec = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 3}, **fields}
        answer = client.post("/v1/jobs", json=spec)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return submit


@pytest.fixture(scope="session")
def train(opened: Backend, settings: Settings, client: httpx.Client) -> Iterator[Callable[..., str]]:
    """Really trains a small job in this process, before all that wait; returns its id."""
    with closing(WorkerProcess(settings, opened.broker, draining=lambda: False)) as process:

        def job(**fields: object) -> str:
            spec = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 3}, "priority": 9, **fields}
            answer = client.post("/v1/jobs", json=spec)
            assert answer.status_code == 201, answer.text
            job_id = str(answer.json()["id"])
            for _ in range(3):  # a message may bring another job, one of a test before that is as urgent
                process.work(job_id)
                done = client.get(f"/v1/jobs/{job_id}").json()
                if done["done"]:
                    break
            assert done["state"] == "succeeded", done
            return job_id

        yield job
