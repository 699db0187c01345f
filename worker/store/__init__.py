"""The store: every SQL statement there is, one noun a file."""

from worker.settings import Settings
from worker.storage.database import Database, open_database
from worker.store.admission import Draft
from worker.store.batch_predictions import BatchPredictions
from worker.store.checkpoints import MODEL, Checkpoints
from worker.store.claims import Claims, SavedModel
from worker.store.data_reports import DataReports
from worker.store.datasets import Datasets, StoredFile
from worker.store.feature_samples import FeatureSamples
from worker.store.gradient_checks import GradientChecks
from worker.store.idempotency_keys import IdempotencyKeys
from worker.store.jobs import Jobs
from worker.store.measurements import LEAST_POINTS, Measurements
from worker.store.models import Models
from worker.store.moves import Note
from worker.store.parameter_sets import ParameterSets
from worker.store.revisions import Change, Revisions
from worker.store.sweeps import Sweeps
from worker.store.workers import Workers

__all__ = ["LEAST_POINTS", "MODEL", "Change", "Draft", "Note", "SavedModel", "Store", "StoredFile", "open_store"]


class Store:
    """What is known about jobs, in a database; thread-safe, not to be carried over a fork."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.jobs = Jobs(database)
        self.claims = Claims(database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts)
        self.sweeps = Sweeps(database, max_attempts=settings.max_attempts)
        self.gradient_checks = GradientChecks(
            database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts
        )
        self.checkpoints = Checkpoints(database)
        self.revisions = Revisions(database)
        self.idempotency_keys = IdempotencyKeys(database)
        self.measurements = Measurements(database)
        self.datasets = Datasets(database)
        self.data_reports = DataReports(database)
        self.parameter_sets = ParameterSets(database)
        self.models = Models(database)
        self.feature_samples = FeatureSamples(database)
        self.batch_predictions = BatchPredictions(
            database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts
        )
        self.workers = Workers(database)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def open_store(settings: Settings) -> Store:
    """The store that the settings name, with tables of this version's shape."""
    return Store(open_database(settings.sql_url, busy_seconds=settings.busy_seconds), settings)
