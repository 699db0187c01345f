"""The store: every SQL statement there is, one noun a file."""

from worker.domain.principals import Principal
from worker.settings import Settings
from worker.storage.database import Database, open_database
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
from worker.store.model_aliases import ModelAliases
from worker.store.models import Models
from worker.store.new_jobs import Draft, NewJob, NewJobs
from worker.store.parameter_sets import ParameterSets
from worker.store.revisions import NewRevision, Revisions
from worker.store.training_log import SavedModel, TrainingLog
from worker.store.work_items import WorkItems
from worker.store.workers import Workers

__all__ = [
    "CHECK_GRADIENTS",
    "LEAST_POINTS",
    "MODEL",
    "PREDICT_BATCH",
    "TRAIN",
    "Draft",
    "NewEvent",
    "NewJob",
    "NewRevision",
    "SavedModel",
    "Store",
    "StoredFile",
    "TenantStore",
    "open_store",
]

ROWS = {TRAIN: JOB_ROWS, CHECK_GRADIENTS: CheckRows(), PREDICT_BATCH: BatchRows()}
"""The kinds of work that have a table of their own."""


class Store:
    """What is known about work, in a database; thread-safe, not to be carried over a fork.

    Here is what knows no tenant: the work of all, the workers and the files. Whatever belongs to somebody is to be had
    `on_behalf_of` a principal only.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.work_items = WorkItems(
            database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts, rows=ROWS
        )
        self.training_log = TrainingLog(database, self.work_items)
        self.files = Files(database)
        self.workers = Workers(database)
        self.new_jobs = NewJobs(database)

    def on_behalf_of(self, principal: Principal) -> "TenantStore":
        """What the principal's tenant has; what a principal makes bears its name."""
        return TenantStore(self, principal)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


class TenantStore:
    """What one tenant has, on behalf of one of its principals: what is another's is not there. As cheap as a tuple."""

    def __init__(self, store: Store, principal: Principal) -> None:
        database = store.database
        self.principal = principal
        self.database = database
        self.work_items = store.work_items
        self.training_log = store.training_log
        self.workers = store.workers
        self.new_jobs = store.new_jobs
        self.jobs = Jobs(database, principal)
        self.gradient_checks = GradientChecks(database, principal, store.work_items)
        self.batch_predictions = BatchPredictions(database, principal)
        self.checkpoints = Checkpoints(database, principal)
        self.revisions = Revisions(database, principal)
        self.idempotency_keys = IdempotencyKeys(database, principal)
        self.measurements = Measurements(database, principal)
        self.datasets = Datasets(database, principal)
        self.data_reports = DataReports(database)
        self.parameter_sets = ParameterSets(database, principal)
        self.models = Models(database, principal)
        self.model_aliases = ModelAliases(database, principal)
        self.feature_samples = FeatureSamples(database, principal)


def open_store(settings: Settings) -> Store:
    """The store that the settings name, with tables of this version's shape."""
    return Store(open_database(settings.sql_url, busy_seconds=settings.busy_seconds), settings)
