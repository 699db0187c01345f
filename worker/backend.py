"""The backend: everything that the service and the command may ask of the worker package, in parts."""

from functools import lru_cache
from sqlite3 import sqlite_version
from types import TracebackType
from typing import Self

import structlog

from worker.domain.fleet import Condition
from worker.domain.principals import Principal
from worker.jobs.group_commit import GroupCommit
from worker.maintenance.sweeper import Sweeper
from worker.process.fleet import health_of
from worker.queue.broker import find_broker
from worker.queue.celery_app import make_app
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.redis_address import RedisAddress
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Store, open_store
from worker.workspace import Workspace

MOST_WORKSPACES = 256  # that are kept, each with what it has looked through; one more is made anew when it is asked for


def open_backend(settings: Settings, broker: RedisAddress | None = None) -> "Backend":
    """The backend of the settings; by default over the Redis that they name, or that of the stack on the folder."""
    return Backend(settings, broker or find_broker(settings), open_store(settings))


class Backend:
    """Wired in one place; thread-safe. A context manager: `start` begins its threads, `close` ends them.

    Whatever may be asked is asked `on_behalf_of` a principal.
    """

    def __init__(self, settings: Settings, broker: RedisAddress, store: Store) -> None:
        self.settings = settings
        self.broker = broker
        self._store = store
        self._artifacts = Artifacts(settings.data_dir)
        self._notifier = Notifier(broker)
        self._publisher = Publisher(make_app(settings, broker), store)
        self._group_commit = GroupCommit(settings, store, self._artifacts, self._publisher)
        self._sweeper = Sweeper(settings, store, self._publisher, self._notifier)
        self._workspaces = lru_cache(MOST_WORKSPACES)(self._workspace)  # asked for at every request

    def start(self) -> Self:
        """Begin to write new jobs, to publish and to sweep."""
        self._artifacts.sweep()
        self._publisher.start()
        self._group_commit.start()
        self._sweeper.start()
        structlog.get_logger("backend").info(
            "backend_opened", sql=self._store.database.kind, sqlite=sqlite_version, redis=str(self.broker)
        )
        return self

    def on_behalf_of(self, principal: Principal) -> Workspace:
        """All that the principal may ask, and what it makes bears its name."""
        return self._workspaces(principal)

    def _workspace(self, principal: Principal) -> Workspace:
        return Workspace(
            principal,
            self.settings,
            self._store,
            self._artifacts,
            self._group_commit,
            self._publisher,
            self._notifier,
        )

    def ping(self) -> None:
        """Raise StoreUnavailable unless the database answers."""
        self._store.database.ping()

    def health(self) -> dict[str, Condition]:
        """Whether the database and Redis answer."""
        return health_of(self._store.database, self._notifier)

    def close(self) -> None:
        """Stop the threads and close the database."""
        self._group_commit.close()
        self._sweeper.close()
        self._publisher.close()
        self._notifier.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
