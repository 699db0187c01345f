"""What a job made becomes a version: its model as it was kept, or the parameters of one of its checkpoints."""

from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from engine import Checkpoint, JobSpec, load
from worker.errors import ArtifactDamaged, NoModel, UnknownCheckpoint, UnknownJob
from worker.settings import Settings
from worker.station import Station
from worker.yard import Yard

Spec = Callable[..., JobSpec]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A checkpoint after every epoch."""
    return settings.model_copy(update={"checkpoint_seconds": 1e-6})


@pytest.fixture
def train(yard: Yard, settings: Settings) -> Callable[[JobSpec], str]:
    """Trains a job in this process; returns its id."""

    def run(spec: JobSpec) -> str:
        job = yard.submit(spec)
        with closing(Station(settings, yard.broker, draining=lambda: False)) as station:
            station.train(job.id)
        assert yard.job(job.id).state == "succeeded"
        return job.id

    return run


def test_a_version_outlives_its_job(yard: Yard, train: Callable[[JobSpec], str], spec: Spec) -> None:
    job_id = train(spec())
    version, created = yard.register_model("flowers", job_id)
    own = load(yard.model_path(job_id))
    assert created and version.weights_sha256 == own.weights_sha256
    assert version.file == f"models/{version.sha256}.safetensors"
    yard.delete_job(job_id)
    kept = load(yard.model_version_path(version))
    rows = [[5.1, 3.5, 1.4, 0.2]]
    assert kept.predict(rows) == own.predict(rows)
    assert version.environment is not None and version.card["training"]["stop_reason"] == "completed"  # type: ignore[index, call-overload]


def test_a_checkpoint_is_a_version_too(yard: Yard, train: Callable[[JobSpec], str], spec: Spec) -> None:
    job_id = train(spec(training={"epochs": 4, "keep": "last"}))
    kept = yard.checkpoints(job_id)
    number = kept[0].number
    version, _ = yard.register_model("flowers", job_id, number)
    assert (version.checkpoint, version.version) == (number, 1)
    model = load(yard.model_version_path(version))
    saved = Checkpoint.load(yard._artifacts.path(kept[0].file))
    for name, array in model.parameters.named().items():
        np.testing.assert_array_equal(array, saved.parameters[name])
    own = load(yard.model_path(job_id))
    assert model.preprocessor.to_json() == own.preprocessor.to_json()
    assert len(model.predict([[5.1, 3.5, 1.4, 0.2]])) == 1
    whole, created = yard.register_model("flowers", job_id)
    assert created and (whole.version, whole.checkpoint) == (2, None)
    assert yard.register_model("flowers", job_id, number) == (version, False)
    with pytest.raises(UnknownCheckpoint, match="it keeps"):
        yard.register_model("flowers", job_id, 999)


def test_what_has_no_model_is_not_registered(yard: Yard, spec: Spec) -> None:
    job = yard.submit(spec())
    with pytest.raises(NoModel):
        yard.register_model("flowers", job.id)
    with pytest.raises(UnknownJob):
        yard.register_model("flowers", "nothing")
    assert yard.models().data == ()


def test_a_file_that_has_changed_is_not_served(yard: Yard, train: Callable[[JobSpec], str], spec: Spec) -> None:
    version, _ = yard.register_model("flowers", train(spec()))
    path = yard.model_version_path(version)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactDamaged):
        yard.model_version_path(version)


def test_a_job_registers_its_model_itself(yard: Yard, train: Callable[[JobSpec], str], spec: Spec) -> None:
    job_id = train(spec(register_as="flowers"))
    version = yard.model_version("flowers")
    assert (version.job_id, version.version) == (job_id, 1)
    (told,) = [event.data for event in yard.events(job_id).data if event.type == "registered"]
    assert told == {"model": "flowers", "version": 1}
    assert yard.register_model("flowers", job_id) == (version, False)
    other = train(spec(register_as="flowers", seed=1))
    assert yard.model_version("flowers").job_id == other


def test_the_number_of_a_name_is_settled_when_the_job_ends(
    yard: Yard, train: Callable[[JobSpec], str], spec: Spec
) -> None:
    first = train(spec())
    yard.register_model("flowers", first)
    job_id = train(spec(register_as="flowers", seed=1))
    assert [one.job_id for one in yard.model_versions("flowers").data] == [job_id, first]
