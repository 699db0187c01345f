"""The backend: everything that the service and the command may ask of the worker package, in parts."""

from contextlib import AbstractContextManager
from sqlite3 import sqlite_version
from types import TracebackType
from typing import Self

import structlog

from worker.datasets.datasets_backend import DatasetsBackend
from worker.datasets.library import DatasetLibrary
from worker.jobs.jobs_backend import JobsBackend
from worker.jobs.submission import Submission
from worker.maintenance.sweeper import Sweeper
from worker.models.batches_backend import BatchesBackend
from worker.models.models_backend import ModelsBackend
from worker.models.registry import ModelRegistry
from worker.parameters.library import ParameterLibrary
from worker.parameters.parameters_backend import ParametersBackend
from worker.process.fleet import Fleet
from worker.queue.broker import find_broker
from worker.queue.celery_app import make_app
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.redis_address import RedisAddress
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.storage.uploads import Upload, receive
from worker.store import Store, open_store


def open_backend(settings: Settings, broker: RedisAddress | None = None) -> "Backend":
    """The backend of the settings; by default over the Redis that they name, or that of the stack on the folder."""
    return Backend(settings, broker or find_broker(settings), open_store(settings))


class Backend:
    """Wired in one place; thread-safe. A context manager: `start` begins its threads, `close` ends them."""

    def __init__(self, settings: Settings, broker: RedisAddress, store: Store) -> None:
        self.settings = settings
        self.broker = broker
        self._store = store
        self._artifacts = Artifacts(settings.data_dir)
        self._notifier = Notifier(broker)
        self._publisher = Publisher(make_app(settings, broker), store)
        self._sweeper = Sweeper(settings, store, self._publisher, self._notifier)
        datasets = DatasetLibrary(store, self._artifacts, settings)
        parameters = ParameterLibrary(store, self._artifacts, settings)
        registry = ModelRegistry(store, self._artifacts, settings)
        submission = Submission(store, datasets, parameters, settings)
        self.jobs = JobsBackend(settings, store, self._artifacts, submission, self._publisher, self._notifier)
        self.datasets = DatasetsBackend(settings, store, datasets)
        self.parameters = ParametersBackend(settings, parameters)
        self.models = ModelsBackend(settings, store, self._artifacts, registry, datasets)
        self.batches = BatchesBackend(
            settings, store, self._artifacts, registry, datasets, self.models, self._publisher
        )
        self.fleet = Fleet(store, self._notifier)
        self.idempotency_keys = store.idempotency_keys

    def start(self) -> Self:
        """Begin to publish, to listen and to sweep."""
        self._artifacts.sweep()
        self._publisher.start()
        self._sweeper.start()
        structlog.get_logger("backend").info(
            "backend_opened", sql=self._store.database.kind, sqlite=sqlite_version, redis=str(self.broker)
        )
        return self

    def receive(self) -> AbstractContextManager[Upload]:
        """Somewhere to write an upload to; it is gone at the end of the block. Raises StorageFull."""
        self._artifacts.refuse_if_full(self.settings.disk_reserve_bytes)
        return receive(self._artifacts, self.settings.max_upload_bytes)

    def close(self) -> None:
        """Stop the threads and close the database."""
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
