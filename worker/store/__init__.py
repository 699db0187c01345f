"""The store: every SQL statement there is, one noun a file."""

from worker.settings import Settings
from worker.storage.database import Database, open_database
from worker.store.admission import Draft
from worker.store.batch_predictions import KIND as PREDICT_BATCH
from worker.store.batch_predictions import BatchPredictions, BatchRows
from worker.store.checkpoints import MODEL, Checkpoints
from worker.store.data_reports import DataReports
from worker.store.datasets import Datasets, StoredFile
from worker.store.feature_samples import FeatureSamples
from worker.store.files import Files
from worker.store.gradient_checks import KIND as CHECK_GRADIENTS
from worker.store.gradient_checks import CheckRows, GradientChecks
from worker.store.idempotency_keys import IdempotencyKeys
from worker.store.item_rows import NewEvent
from worker.store.job_rows import JOB_ROWS
from worker.store.job_rows import KIND as TRAIN
from worker.store.jobs import Jobs
from worker.store.measurements import LEAST_POINTS, Measurements
from worker.store.models import Models
from worker.store.parameter_sets import ParameterSets
from worker.store.revisions import Change, Revisions
from worker.store.training_log import SavedModel, TrainingLog
from worker.store.work_items import WorkItems
from worker.store.workers import Workers

__all__ = [
    "CHECK_GRADIENTS",
    "LEAST_POINTS",
    "MODEL",
    "PREDICT_BATCH",
    "TRAIN",
    "Change",
    "Draft",
    "NewEvent",
    "SavedModel",
    "Store",
    "StoredFile",
    "open_store",
]

ROWS = {TRAIN: JOB_ROWS, CHECK_GRADIENTS: CheckRows(), PREDICT_BATCH: BatchRows()}
"""The kinds of work that have a table of their own."""


class Store:
    """What is known about jobs, in a database; thread-safe, not to be carried over a fork."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.work_items = WorkItems(
            database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts, rows=ROWS
        )
        self.jobs = Jobs(database)
        self.training_log = TrainingLog(database, self.work_items)
        self.gradient_checks = GradientChecks(database, self.work_items)
        self.batch_predictions = BatchPredictions(database)
        self.checkpoints = Checkpoints(database)
        self.revisions = Revisions(database)
        self.idempotency_keys = IdempotencyKeys(database)
        self.measurements = Measurements(database)
        self.datasets = Datasets(database)
        self.data_reports = DataReports(database)
        self.parameter_sets = ParameterSets(database)
        self.models = Models(database)
        self.feature_samples = FeatureSamples(database)
        self.files = Files(database)
        self.workers = Workers(database)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def open_store(settings: Settings) -> Store:
    """The store that the settings name, with tables of this version's shape."""
    return Store(open_database(settings.sql_url, busy_seconds=settings.busy_seconds), settings)
