"""What a job made becomes a version: its model as it was kept, or the parameters of one of its checkpoints."""

from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from engine import Checkpoint, JobSpec, load
from worker.backend import Backend
from worker.errors import ArtifactDamaged, NoModel, UnknownCheckpoint, UnknownJob
from worker.process.child import WorkerProcess
from worker.settings import Settings
from worker.workspace import Workspace

Spec = Callable[..., JobSpec]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A checkpoint after every epoch."""
    return settings.model_copy(update={"checkpoint_seconds": 1e-6})


@pytest.fixture
def train(opened: Backend, backend: Workspace, settings: Settings) -> Callable[[JobSpec], str]:
    """Trains a job in this process; returns its id."""

    def run(spec: JobSpec) -> str:
        job = backend.jobs.submit(spec)
        with closing(WorkerProcess(settings, opened.broker, draining=lambda: False)) as process:
            process.work(job.id)
        assert backend.jobs.get(job.id).state == "succeeded"
        return job.id

    return run


def test_a_version_outlives_its_job(backend: Workspace, train: Callable[[JobSpec], str], spec: Spec) -> None:
    job_id = train(spec())
    version, created = backend.models.register("flowers", job_id)
    own = load(backend.jobs.model_path(job_id))
    assert created and version.weights_sha256 == own.weights_sha256
    assert version.file == f"models/{version.sha256}.safetensors"
    backend.jobs.delete(job_id)
    kept = load(backend.models.version_path(version))
    rows = [[5.1, 3.5, 1.4, 0.2]]
    assert kept.predict(rows) == own.predict(rows)
    assert version.environment is not None and version.card["training"]["stop_reason"] == "completed"  # type: ignore[index, call-overload]


def test_a_checkpoint_is_a_version_too(
    backend: Workspace, train: Callable[[JobSpec], str], spec: Spec, settings: Settings
) -> None:
    job_id = train(spec(training={"epochs": 4, "keep": "last"}))
    kept = backend.jobs.checkpoints(job_id)
    number = kept[0].number
    version, _ = backend.models.register("flowers", job_id, number)
    assert (version.checkpoint, version.version) == (number, 1)
    model = load(backend.models.version_path(version))
    saved = Checkpoint.load(settings.data_dir / kept[0].file)
    for name, array in model.parameters.named().items():
        np.testing.assert_array_equal(array, saved.parameters[name])
    own = load(backend.jobs.model_path(job_id))
    assert model.preprocessor.to_json() == own.preprocessor.to_json()
    assert len(model.predict([[5.1, 3.5, 1.4, 0.2]])) == 1
    whole, created = backend.models.register("flowers", job_id)
    assert created and (whole.version, whole.checkpoint) == (2, None)
    assert backend.models.register("flowers", job_id, number) == (version, False)
    with pytest.raises(UnknownCheckpoint, match="it keeps"):
        backend.models.register("flowers", job_id, 999)


def test_what_has_no_model_is_not_registered(backend: Workspace, spec: Spec) -> None:
    job = backend.jobs.submit(spec())
    with pytest.raises(NoModel):
        backend.models.register("flowers", job.id)
    with pytest.raises(UnknownJob):
        backend.models.register("flowers", "nothing")
    assert backend.models.page().data == ()


def test_a_file_that_has_changed_is_not_served(backend: Workspace, train: Callable[[JobSpec], str], spec: Spec) -> None:
    version, _ = backend.models.register("flowers", train(spec()))
    path = backend.models.version_path(version)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactDamaged):
        backend.models.version_path(version)


def test_a_job_registers_its_model_itself(backend: Workspace, train: Callable[[JobSpec], str], spec: Spec) -> None:
    job_id = train(spec(register_as="flowers"))
    version = backend.models.version("flowers")
    assert (version.job_id, version.version) == (job_id, 1)
    (told,) = [event.data for event in backend.jobs.events(job_id).data if event.type == "registered"]
    assert told == {"model": "flowers", "version": 1}
    assert backend.models.register("flowers", job_id) == (version, False)
    other = train(spec(register_as="flowers", seed=1))
    assert backend.models.version("flowers").job_id == other


def test_the_number_of_a_name_is_settled_when_the_job_ends(
    backend: Workspace, train: Callable[[JobSpec], str], spec: Spec
) -> None:
    first = train(spec())
    backend.models.register("flowers", first)
    job_id = train(spec(register_as="flowers", seed=1))
    assert [one.job_id for one in backend.models.versions("flowers").data] == [job_id, first]
