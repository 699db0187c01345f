"""A workspace: all that one principal may ask of the backend, in parts; what is another tenant's is not there."""

from contextlib import AbstractContextManager

from worker.datasets.datasets_backend import DatasetsBackend
from worker.datasets.library import DatasetLibrary
from worker.domain.principals import Principal
from worker.jobs.group_commit import GroupCommit
from worker.jobs.jobs_backend import JobsBackend
from worker.jobs.submission import Submission
from worker.models.batches_backend import BatchesBackend
from worker.models.models_backend import ModelsBackend
from worker.models.registry import ModelRegistry
from worker.parameters.library import ParameterLibrary
from worker.parameters.parameters_backend import ParametersBackend
from worker.process.fleet import Fleet
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.storage.uploads import Upload, receive
from worker.store import Store


class Workspace:
    """Of one principal; thread-safe. It holds nothing open."""

    def __init__(
        self,
        principal: Principal,
        settings: Settings,
        store: Store,
        artifacts: Artifacts,
        group_commit: GroupCommit,
        publisher: Publisher,
        notifier: Notifier,
    ) -> None:
        self.principal = principal
        self.settings = settings
        self._artifacts = artifacts
        own = store.on_behalf_of(principal)
        datasets = DatasetLibrary(own, artifacts, settings)
        parameters = ParameterLibrary(own, artifacts, settings)
        registry = ModelRegistry(own, artifacts, settings)
        submission = Submission(own, artifacts, datasets, parameters, settings)
        self.jobs = JobsBackend(settings, own, artifacts, submission, group_commit, publisher, notifier)
        self.datasets = DatasetsBackend(settings, own, datasets)
        self.parameters = ParametersBackend(settings, parameters)
        self.models = ModelsBackend(settings, own, artifacts, registry, datasets)
        self.batches = BatchesBackend(settings, own, artifacts, registry, datasets, self.models, publisher)
        self.fleet = Fleet(own)
        self.idempotency_keys = own.idempotency_keys

    def receive(self) -> AbstractContextManager[Upload]:
        """Somewhere to write an upload to; it is gone at the end of the block. Raises StorageFull."""
        self._artifacts.refuse_if_full(self.settings.disk_reserve_bytes)
        return receive(self._artifacts, self.settings.max_upload_bytes)
