"""The database: tables that the migrations make, a lock that many processes share, errors in our own words."""

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

import worker
from worker.errors import StoreUnavailable
from worker.storage.database import Database, open_database
from worker.storage.migrations import HEAD
from worker.storage.tables import alembic_version, metadata
from worker.storage.write_lock import WriteLock

WRITES = 40


def migrate(connection: sa.Connection, revision: str) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(str(worker.__path__[0])) / "storage" / "migrations"))
    command.upgrade(config, revision)


def described(connection: sa.Connection) -> dict[str, object]:
    """All that a database knows of its tables, in an order that does not depend on how they came about."""

    def ordered(things: Iterable[Mapping[str, object]]) -> list[list[tuple[str, str]]]:
        # SQLite numbers the indexes of its own in the order of making
        kept = ({key: str(value) for key, value in thing.items() if key != "duplicates_index"} for thing in things)
        return sorted(sorted(thing.items()) for thing in kept)

    found = sa.inspect(connection)
    kinds = ("columns", "foreign_keys", "indexes", "unique_constraints", "check_constraints")
    return {
        table: [ordered(getattr(found, f"get_{kind}")(table)) for kind in kinds] + [found.get_pk_constraint(table)]
        for table in found.get_table_names()
    }


def test_the_migrations_make_the_tables_that_a_new_database_gets(database_url: str) -> None:
    database = Database(database_url)
    with database.write() as connection:
        migrate(connection, "head")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        migrated = described(connection)
        version = connection.scalar(sa.select(alembic_version))
        metadata.drop_all(connection)
    database.upgrade()
    with database.read() as connection:
        assert described(connection) == migrated
        assert connection.scalar(sa.select(alembic_version)) == version == HEAD
    database.close()


def test_the_newest_migration_is_the_one_that_is_expected() -> None:
    folder = Path(str(worker.__path__[0])) / "storage" / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == HEAD


ITEM = (
    "INSERT INTO work_items (id, kind, topic, tenant, created_by, queue, priority, state, attempt, setbacks, revision, "
    "created_at, spent_seconds) VALUES ('job_1', 'train', 'job_1', 't', 'ann', 'cpu', 5, 'queued', 0, 0, 0, 1.0, 0.0)"
)


@pytest.mark.parametrize("wrong", ["state = 'lost'", "control = 'explode'", "lease_until = 1", "state = 'running'"])
def test_the_database_itself_refuses_a_job_that_cannot_be(database_url: str, wrong: str) -> None:
    database = open_database(database_url)
    with database.write() as connection:
        connection.exec_driver_sql(ITEM)
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.exec_driver_sql(f"UPDATE work_items SET {wrong}")  # noqa: S608 - no input
    database.close()


def test_a_table_that_sqlite_makes_anew_keeps_what_points_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def anew(connection: sa.Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("work_items", recreate="always"):
            pass

    database = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    batch = "INSERT INTO batch_predictions (id, name, version, dataset_id, reference, format, keep, rows) "
    with database.write() as connection:
        connection.exec_driver_sql(ITEM)
        connection.exec_driver_sql(f"{batch} VALUES ('job_1', 'm', 1, 'ds_1', 'd', 'csv', '[]', 3)")
        connection.execute(alembic_version.update().values(version_num="0000"))
    monkeypatch.setattr("worker.storage.database._migrate", anew)
    database.upgrade()
    with database.write() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM batch_predictions")) == 1
        connection.exec_driver_sql("DELETE FROM work_items")
        assert connection.scalar(sa.text("SELECT count(*) FROM batch_predictions")) == 0
    database.close()


def test_many_may_open_an_empty_database_at_once(database_url: str, table_names: set[str]) -> None:
    opened: list[Database] = []
    threads = [threading.Thread(target=lambda: opened.append(open_database(database_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    with opened[0].read() as connection:
        assert table_names <= set(sa.inspect(connection).get_table_names())
    for database in opened:
        database.close()


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    database = open_database(url)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreUnavailable, match="9999"):
        open_database(url)


def test_the_clock_is_the_database_s(database_url: str) -> None:
    database = open_database(database_url)
    with database.read() as connection:
        assert abs(database.now(connection) - time.time()) < 60
    database.close()


def _write(path: str, number: int, failures: "Queue[str]") -> None:
    """A process that writes, checkpoints with nearly every commit, and opens and closes connections."""
    try:
        for turn in range(WRITES):
            if turn % 10 == 0:
                database = Database(f"sqlite:///{path}", busy_seconds=30, wal_pages=2)
            with database.write() as connection:
                connection.execute(
                    sa.text("INSERT INTO log (process, turn, filler) VALUES (:p, :t, :f)"),
                    {"p": number, "t": turn, "f": "x" * 2000},
                )
            with database.read() as connection:
                connection.execute(sa.text("SELECT count(*) FROM log")).scalar()
            if turn % 10 == 9:
                database.close()
    except StoreUnavailable as error:
        failures.put(str(error))


@pytest.mark.parametrize("number", [4, pytest.param(8, marks=pytest.mark.accept)])
def test_processes_that_write_and_checkpoint_at_once_leave_a_whole_database(tmp_path: Path, number: int) -> None:
    path = tmp_path / "test.db"
    database = Database(f"sqlite:///{path}")
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE log (process INT, turn INT, filler TEXT)"))
    database.close()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # what they import is imported once
    failures: Queue[str] = context.Queue()
    processes = [context.Process(target=_write, args=(str(path), one, failures)) for one in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * number
    assert failures.empty()
    with closing(sqlite3.connect(path)) as looking:
        assert looking.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = looking.execute("SELECT DISTINCT process, turn FROM log").fetchall()
    assert len(rows) == number * WRITES


def test_whoever_waits_too_long_for_the_lock_is_told_so(tmp_path: Path) -> None:
    held, waiting = WriteLock(tmp_path / "lock", seconds=5), WriteLock(tmp_path / "lock", seconds=0.05)
    with held, held, pytest.raises(StoreUnavailable, match="busy"), waiting:
        pass
    with waiting:
        pass
    held.close()
    waiting.close()


def test_a_writer_that_another_program_blocks_gets_our_error(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}", busy_seconds=0.1)
    database.upgrade()
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"), database.write():
        pass
    other.close()
    with database.write():
        pass
    database.close()
