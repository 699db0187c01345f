"""Whether a worker of this machine lives, asked from outside as an orchestrator's health check does."""

import socket
from contextlib import closing

from worker.domain.fleet import WorkerRecord
from worker.settings import Settings
from worker.storage.database import find_database
from worker.store.workers import Workers


def find_worker(settings: Settings) -> WorkerRecord | None:
    """The first worker of this machine that reported in the last half minute; reads the database and changes nothing.

    Raises StoreUnavailable.
    """
    database = find_database(settings.sql_url, busy_seconds=settings.busy_seconds)
    if database is None:
        return None
    with closing(database):
        alive = Workers(database).alive(None)
    return next((worker for worker in alive if worker.host == socket.gethostname()), None)
