"""Which version of a registered model a request means, and that model in memory.

What a name and a reference mean is remembered together with the model's revision, which every change of the model, its
versions and its aliases increases; a request is answered by what is remembered while that revision is the newest. So
whoever was told of a change, by whichever process, is answered by it from then on.
"""

from contextlib import suppress
from typing import NamedTuple

from fastapi.concurrency import run_in_threadpool

from engine import Model
from engine.serving import Serving
from service.predictions.model_cache import Predictors
from service.predictions.revisions import Revisions
from worker.domain.models import ModelVersion
from worker.errors import UnknownAlias, WorkerError
from worker.store.models import Reference
from worker.workspace import Workspace

MOST_MEANINGS = 10_000  # names and references that are remembered


class Meaning(NamedTuple):
    """What a name and a reference mean at a revision of the model."""

    revision: int
    version: int
    sha256: str
    sampled: bool  # whether the features of requests are
    serving: Serving  # how the version answers


class Resolved(NamedTuple):
    """The model that answers a request."""

    backend: Workspace  # of whoever asked
    name: str
    version: int
    model: Model
    sampled: bool
    serving: Serving = Serving()

    def decided_by(self, threshold: float | None) -> "Resolved":
        """The same with another decision threshold, if one is given."""
        if threshold is None:
            return self
        return self._replace(serving=self.serving.model_copy(update={"threshold": threshold}))


class Resolver:
    """What this process knows of names, and the models in memory; thread-safe."""

    def __init__(self, predictors: Predictors) -> None:
        self.predictors = predictors
        self._revisions = Revisions()
        self._meanings: dict[tuple[str, str, Reference], Meaning] = {}

    async def resolve(self, backend: Workspace, name: str, reference: Reference) -> Resolved:
        """The model that a request means; waits for the store, and the disk, where it has to.

        Raises UnknownModel, UnknownVersion, UnknownAlias, ArtifactDamaged.
        """
        meaning = self._meanings.get((backend.principal.tenant, name, reference))
        if meaning is not None and await self._revisions.is_newest(backend, name, meaning.revision):
            model = self.predictors.find(meaning.sha256)
            if model is not None:
                return Resolved(backend, name, meaning.version, model, meaning.sampled, meaning.serving)
        return await run_in_threadpool(self.look_up, backend, name, reference)

    def look_up(self, backend: Workspace, name: str, reference: Reference) -> Resolved:
        """The same from the store itself, for a thread."""
        registered = backend.models.get(name)
        number = registered.newest if reference is None else reference
        if isinstance(number, str):
            if number not in registered.aliases:
                raise UnknownAlias(name, number, registered.aliases)
            number = registered.aliases[number]
        version = backend.models.version(name, number)
        model = self.warm(backend, version)
        if len(self._meanings) >= MOST_MEANINGS:
            self._meanings.clear()
        serving = Serving(strict=version.strict, threshold=version.threshold)
        meaning = Meaning(registered.revision, version.version, version.sha256, registered.drift, serving)
        self._meanings[backend.principal.tenant, name, reference] = meaning
        return Resolved(backend, name, meaning.version, model, meaning.sampled, serving)

    def look_up_job(self, backend: Workspace, job_id: str) -> Resolved:
        """The model that a job has kept, which never changes; raises UnknownJob, NoModel, ArtifactDamaged."""
        kept = backend.jobs.model(job_id)
        model = self.predictors.get(kept.sha256, lambda: backend.jobs.model_path(job_id))
        return Resolved(backend, job_id, 0, model, False)

    def warm(self, backend: Workspace, version: ModelVersion) -> Model:
        """Have the version in memory before it is asked for; raises ArtifactDamaged."""
        return self.predictors.get(version.sha256, lambda: backend.models.version_path(version))

    def refresh(self, backend: Workspace, name: str) -> None:
        """Look up what is asked for under this name here, after it has changed: the next request finds it in memory."""
        for tenant, known, reference in list(self._meanings):
            if (tenant, known) == (backend.principal.tenant, name):
                with suppress(WorkerError):  # it means nothing any more, or cannot be read: the next request is told
                    self.look_up(backend, name, reference)
