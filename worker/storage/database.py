"""The database: SQLite in WAL mode, or PostgreSQL; reading, writing, its clock and its migrations."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import event, exc
from sqlalchemy.pool import ConnectionPoolEntry

from worker.database_address import read_address, sqlite_path, why_no_connection
from worker.errors import StorageFull, StoreUnavailable
from worker.storage.migrations import HEAD
from worker.storage.tables import alembic_version, metadata
from worker.storage.write_lock import WriteLock

MIGRATION_LOCK = 0x7261696E  # any number that no other user of the PostgreSQL server locks
FULL = {"SQLITE_FULL", "53100"}
NOT_ALLOWED = "42501"  # PostgreSQL's insufficient_privilege


class Database:
    """Connections to one database; thread-safe, not to be carried over a fork.

    `wal_pages` is SQLite's `wal_autocheckpoint`. `read_only` is for whoever looks at what others work with: no file is
    made.
    """

    def __init__(self, url: str, *, busy_seconds: float = 10.0, wal_pages: int = 1000, read_only: bool = False) -> None:
        self._address = address = _read(url)
        self.kind: Literal["sqlite", "postgresql"]
        self._lock: WriteLock | None = None
        self._at_once = Lock()
        self._impatient: Any = None  # a connection of SQLite's that does not wait, from the first time on
        if address.get_backend_name() == "sqlite":
            self.kind = "sqlite"
            path = sqlite_path(address)
            if read_only:
                self._writer = self._reader = _read_only_sqlite_engine(path, busy_seconds)
                return
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._lock = WriteLock(path.with_name(path.name + ".lock"), seconds=busy_seconds)
            except OSError as error:
                raise StoreUnavailable(why_no_connection(address, error)) from error
            self._writer = _sqlite_engine(path, self._lock, busy_seconds, wal_pages, writes=True)
            self._reader = _sqlite_engine(path, self._lock, busy_seconds, wal_pages, writes=False)
        else:
            self.kind = "postgresql"
            self._writer = self._reader = _postgresql_engine(address, busy_seconds)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view that waits for nobody."""
        with _translated(), self._reader.begin() as connection:
            yield connection

    @property
    def writes(self) -> int | None:
        """A number that changes with every write to SQLite; None while one is under way, and for PostgreSQL."""
        return None if self._lock is None else self._lock.writes

    def read_at_once(self, statement: str, values: Sequence[object]) -> tuple[object, ...] | None:
        """A row of SQLite's, in ten microseconds, as an event loop needs it; waits for nobody.

        Raises StoreUnavailable where it would have to wait, and for PostgreSQL, which is too far for that.
        """
        if self.kind != "sqlite":
            raise StoreUnavailable("PostgreSQL does not answer at once; read it in a thread")
        with self._at_once:
            if self._impatient is None:
                self._impatient = self._reader.raw_connection()
                self._impatient.execute("PRAGMA busy_timeout = 0")
            try:
                row: tuple[object, ...] | None = self._impatient.execute(statement, values).fetchone()
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the database does not answer ({error}); try again") from error
        return row

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction, committed at the end of the block; rows are changed by one process at a time."""
        with _translated(), self._writing(), self._writer.begin() as connection:
            yield connection

    def now(self, connection: sa.Connection) -> float:
        """Seconds since 1970 by the database's clock, so that machines need not agree about the time."""
        if self.kind == "sqlite":  # it lives in this process
            return time.time()
        return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")) or 0.0)

    def connect(self) -> None:
        """See that there is a database; `StoreUnavailable` says what stands in the way, and where: not for clients."""
        try:
            self._reader.connect().close()
        except (exc.DBAPIError, OSError) as error:
            reason = error.orig if isinstance(error, exc.DBAPIError) else error
            raise StoreUnavailable(why_no_connection(self._address, reason)) from error

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the database answers."""
        with self.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    def upgrade(self) -> None:
        """Bring the tables to this version's shape; any number of processes may do so at once."""
        with _translated():
            with self._reader.connect() as connection:
                if _revision(connection) == HEAD:
                    return
            with self._writing(), self._unreferenced(), self._writer.begin() as connection:
                if self.kind == "postgresql":
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
                if _is_new(connection):
                    _create(connection)
                else:
                    _migrate(connection)

    def is_ready(self) -> bool:
        """Whether there are tables yet; raises `StoreUnavailable` if they are of another version's shape."""
        with self.read() as connection:
            if (revision := _revision(connection)) not in (None, HEAD):
                raise _other_shape(revision)
            return revision is not None

    @contextmanager
    def _unreferenced(self) -> Iterator[None]:
        """Where SQLite makes a table anew it drops the old one, which must not take the rows that point to it along."""
        self._refer(False)
        try:
            yield
        finally:
            self._refer(True)

    def _refer(self, foreign_keys: bool) -> None:
        """Only outside of a transaction does SQLite listen; the writer has one connection, which is kept."""
        if self.kind == "sqlite":
            connection = self._writer.raw_connection()
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
            cursor.close()
            connection.close()

    def close(self) -> None:
        """Close every connection; SQLite's last one checkpoints, which is why each closes under the lock."""
        if self._impatient is not None:
            self._impatient.close()
        self._reader.dispose()
        self._writer.dispose()
        if self._lock is not None:
            self._lock.close()

    def _writing(self) -> AbstractContextManager[object]:
        return self._lock if self._lock is not None else nullcontext()


def open_database(url: str, *, busy_seconds: float = 10.0) -> Database:
    """The database at `url`, with tables of this version's shape; raises StoreUnavailable."""
    database = Database(url, busy_seconds=busy_seconds)
    try:
        database.connect()
        database.upgrade()
    except BaseException:
        database.close()
        raise
    return database


def find_database(url: str, *, busy_seconds: float = 10.0) -> Database | None:
    """The database at `url`, to look into: nothing is made, migrated or written; None where there are no tables yet.

    Raises StoreUnavailable.
    """
    address = _read(url)
    if address.get_backend_name() == "sqlite" and not sqlite_path(address).exists():
        return None
    database = Database(url, busy_seconds=busy_seconds, read_only=True)
    try:
        database.connect()
        if database.is_ready():
            return database
    except BaseException:
        database.close()
        raise
    database.close()
    return None


def _read(url: str) -> sa.URL:
    try:
        return read_address(url)
    except ValueError as error:
        raise StoreUnavailable(f"the database's address {error}") from error


class _LockedConnection(sqlite3.Connection):
    """Closes under the lock: the last connection to close checkpoints."""

    lock: WriteLock

    def close(self) -> None:
        with self.lock:
            super().close()


def _sqlite_engine(path: Path, lock: WriteLock, busy_seconds: float, wal_pages: int, *, writes: bool) -> sa.Engine:
    def connect() -> sqlite3.Connection:
        with lock:
            connection = _LockedConnection(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
            connection.lock = lock
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # what was answered survives a power cut
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {wal_pages:d}")
            if not writes:
                connection.execute("PRAGMA query_only = ON")
        return connection

    engine = sa.create_engine(
        "sqlite://",
        creator=connect,
        poolclass=sa.QueuePool,
        pool_size=1 if writes else 8,
        max_overflow=0 if writes else 32,
        pool_timeout=busy_seconds,
        json_serializer=_dumps,
        json_deserializer=_loads,
    )
    event.listen(engine, "begin", partial(_begin, "BEGIN IMMEDIATE" if writes else "BEGIN"))
    return engine


def _read_only_sqlite_engine(path: Path, busy_seconds: float) -> sa.Engine:
    """Needs no lock: a connection that cannot write does not checkpoint."""

    def connect() -> sqlite3.Connection:
        # Without a log nobody has the file open, and all that is known is in it. SQLite would make an empty log.
        options = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
        uri = f"{path.as_uri()}?{options}"
        return sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False)

    engine = sa.create_engine("sqlite://", creator=connect, json_serializer=_dumps, json_deserializer=_loads)
    event.listen(engine, "begin", partial(_begin, "BEGIN"))
    return engine


def _begin(statement: str, connection: sa.Connection) -> None:
    """The driver would begin only at the first change: too late for a compare-and-set."""
    connection.exec_driver_sql(statement)


def _postgresql_engine(address: sa.URL, busy_seconds: float) -> sa.Engine:
    milliseconds = int(busy_seconds * 1000)
    try:
        engine = sa.create_engine(
            address,
            pool_size=5,
            max_overflow=32,
            pool_timeout=busy_seconds,
            pool_pre_ping=True,
            json_serializer=_dumps,
            json_deserializer=_loads,
            connect_args={"connect_timeout": max(2, int(busy_seconds))},
        )
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            'PostgreSQL is spoken by psycopg, which is missing here; pip install "psycopg[binary]"'
        ) from error

    def configure(connection: sa.engine.interfaces.DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {milliseconds:d}")
        cursor.execute("SET synchronous_commit = on")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", configure)
    return engine


_dumps: Callable[[object], str] = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _loads(text: str | bytes) -> object:
    """As `json.loads`, in less than half the time; half a surrogate pair is the one thing that only that can read."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


@contextmanager
def _translated() -> Iterator[None]:
    """The driver's complaints in this package's words; a broken rule of ours (`IntegrityError`) passes."""
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailable("every connection to the database is in use; try again") from error
    except exc.IntegrityError:
        raise
    except (exc.OperationalError, exc.InterfaceError, exc.InternalError) as error:
        reason = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
        if reason in FULL:
            raise StorageFull("the database's disk is full") from error
        raise StoreUnavailable(f"the database does not answer ({reason or 'no connection'}); try again") from error
    except exc.DatabaseError as error:
        if getattr(error.orig, "sqlstate", None) == NOT_ALLOWED:
            said = str(error.orig).partition("\n")[0]
            raise StoreUnavailable(f"the database's user lacks a right: {said}; its owner can grant it") from error
        if error.orig is None or type(error.orig) is not sqlite3.DatabaseError:
            raise
        raise StoreUnavailable(f"the database cannot be read: {error.orig}") from error


def _revision(connection: sa.Connection) -> str | None:
    if _is_new(connection):
        return None
    revision: str | None = connection.scalar(sa.select(alembic_version.c.version_num))
    return revision


def _is_new(connection: sa.Connection) -> bool:
    return not sa.inspect(connection).has_table(alembic_version.name)


def _create(connection: sa.Connection) -> None:
    """Today's tables at once: all the steps that led to them would take five times as long."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(alembic_version.insert().values(version_num=HEAD))


def _migrate(connection: sa.Connection) -> None:
    # here, not above: a process whose database is up to date never needs it, and it takes a while to load
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise _other_shape(_revision(connection)) from error


def _other_shape(revision: str | None) -> StoreUnavailable:
    return StoreUnavailable(
        f"the database has tables of revision {revision}, this trainshed knows {HEAD}; "
        "install the version that made them, or a later one"
    )
