"""A health check asks what it needs: whatever it finds, the database and its folder are afterwards as they were."""

import socket
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from worker.errors import StoreUnavailable
from worker.process.health_check import find_worker
from worker.settings import Settings
from worker.storage.database import Database
from worker.storage.tables import alembic_version
from worker.store import Store, open_store


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Of a database with nothing in it, in a folder that is not there."""
    url = f"sqlite:///{tmp_path / 'data' / 'test.db'}" if database_url.startswith("sqlite") else database_url
    return Settings.model_validate({"data_dir": tmp_path / "data", "database_url": url})


def contents(settings: Settings) -> dict[Path, bytes]:
    """Every file of the data folder but SQLite's shared memory, which holds what readers have open."""
    files = (path for path in settings.data_dir.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {path: path.read_bytes() for path in files}


def tables(settings: Settings) -> list[str]:
    database = Database(settings.sql_url)
    with closing(database), database.read() as connection:
        return sa.inspect(connection).get_table_names()


def report(store: Store, host: str) -> None:
    store.workers.seen("worker_1", host=host, pid=1, queues=["cpu"], job_id=None)


def test_where_nothing_is_nothing_is_made(settings: Settings) -> None:
    assert find_worker(settings) is None
    assert not settings.data_dir.exists()
    assert tables(settings) == []


def test_it_finds_the_worker_of_this_machine_alone(settings: Settings) -> None:
    with closing(open_store(settings)) as store:
        report(store, "elsewhere")
        assert find_worker(settings) is None
        store.workers.gone("worker_1")
        report(store, socket.gethostname())
        before = contents(settings)
        found = find_worker(settings)
        assert found is not None and found.id == "worker_1"
        assert contents(settings) == before
    closed = contents(settings)  # nobody has it open
    assert find_worker(settings) is not None
    assert contents(settings) == closed
    if settings.sql_url.startswith("sqlite"):
        assert not list(settings.data_dir.glob("*-wal"))


def test_tables_of_another_version_are_left_as_they_are(settings: Settings) -> None:
    with closing(open_store(settings)) as store:
        report(store, socket.gethostname())
        with store.database.write() as connection:
            connection.execute(sa.update(alembic_version).values(version_num="0000"))
    before = contents(settings)
    with pytest.raises(StoreUnavailable, match="tables of revision 0000, this trainshed knows"):
        find_worker(settings)
    assert contents(settings) == before
