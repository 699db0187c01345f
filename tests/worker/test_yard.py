"""What the yard takes in and what it refuses; nothing refused leaves a row or a file."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from engine import JobSpec, SpecError
from engine.errors import DataError
from worker.errors import (
    ArtifactDamaged,
    DatasetInUse,
    InvalidName,
    InvalidPage,
    NameTaken,
    ResourceLimit,
    UnknownDataset,
    UnknownJob,
    UnknownParameters,
    UnsupportedMediaType,
    UploadTooLarge,
    WorkerError,
)
from worker.records import DatasetRecord
from worker.settings import Settings
from worker.yard import Yard, open_yard

Make = Callable[..., JobSpec]
CSV = b"a,b,label\n" + b"".join(b"%d,%d,%d\n" % (row, row * row % 7, row % 2) for row in range(40))
NPZ, SAFETENSORS = "application/x-npz", "application/vnd.safetensors"


def files(settings: Settings) -> set[str]:
    folders = ("datasets", "parameters", "unfinished", "models")
    return {str(path) for name in folders for path in (settings.data_dir / name).rglob("*") if path.is_file()}


def upload(yard: Yard, name: str, content: bytes = CSV, media_type: str = "text/csv") -> tuple[DatasetRecord, bool]:
    with yard.receive() as received:
        for start in range(0, len(content), 100):
            received.write(content[start : start + 100])
        return yard.add_dataset(name, media_type, received)


def npz(**arrays: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **arrays)
    return file.getvalue()


@contextmanager
def nothing_left(yard: Yard) -> Iterator[None]:
    before = files(yard.settings)
    yield
    assert files(yard.settings) == before
    assert not yard.datasets().data
    assert not yard.jobs().data
    assert not yard.parameter_sets().data


def test_an_upload_becomes_a_dataset_that_a_job_can_learn_from(yard: Yard, spec: Make) -> None:
    record, new = upload(yard, "mine")
    assert (new, record.rows, record.bytes, record.media_type) == (True, 40, len(CSV), "text/csv")
    assert yard.dataset("mine") == yard.dataset(record.id) == record
    assert yard.preview("mine", limit=2)["rows"] == [
        {"a": 0, "b": 0, "label": 0},
        {"a": 1, "b": 1, "label": 1},
    ]
    job = yard.submit(spec(data={"train": "mine", "target": "label"}))
    assert yard.submit(spec(data={"train": record.id, "target": "label"})).data_hash == job.data_hash
    assert JobSpec.model_validate(job.spec).data.train == "mine"


def test_the_same_upload_twice_is_one_dataset_and_another_is_its_next_version(yard: Yard, spec: Make) -> None:
    record, _ = upload(yard, "mine")
    assert upload(yard, "mine") == (record, False)
    job = yard.submit(spec(data={"train": "mine", "target": "label"}))
    newer, new = upload(yard, "mine", CSV + b"1,2,1\n")
    assert (new, record.version, newer.version) == (True, 1, 2)
    assert yard.dataset("mine") == yard.dataset("mine@2") == newer
    assert yard.dataset("mine@1") == yard.dataset(record.id) == record
    later = yard.submit(spec(data={"train": "mine", "target": "label"}))
    pinned = yard.submit(spec(data={"train": "mine@1", "target": "label"}))
    assert job.data_hash == pinned.data_hash != later.data_hash


def test_a_dataset_goes_when_no_job_needs_it(yard: Yard, spec: Make) -> None:
    upload(yard, "mine")
    job = yard.submit(spec(data={"train": "mine", "target": "label"}))
    with pytest.raises(DatasetInUse, match=job.id):
        yard.delete_dataset("mine")
    yard.cancel(job.id)
    yard.delete_dataset("mine")
    assert files(yard.settings) == set()
    with pytest.raises(UnknownDataset):
        yard.delete_dataset("mine")


@pytest.mark.parametrize(
    ("name", "content", "media_type", "error"),
    [
        ("mine", b"", "text/csv", DataError),
        ("mine", b"a,b\n1,x\n", "text/csv", DataError),
        ("mine", b"a,b\n1,inf\n2,3\n", "text/csv", DataError),
        ("mine", b"\xff\xfe,b\n1,2\n2,3\n", "text/csv", DataError),
        ("mine", b"PK not really", NPZ, DataError),
        ("mine", CSV, "application/pdf", UnsupportedMediaType),
        ("mine", b"a,b\n" + b"1,2\n" * 30000, "text/csv", UploadTooLarge),
        ("", CSV, "text/csv", InvalidName),
        ("../etc", CSV, "text/csv", InvalidName),
        ("a\ud800", CSV, "text/csv", InvalidName),
        ("ds_" + "0" * 32, CSV, "text/csv", InvalidName),
        ("digits", CSV, "text/csv", NameTaken),
    ],
)
def test_an_upload_that_cannot_be_used_leaves_nothing(
    settings: Settings, name: str, content: bytes, media_type: str, error: type[Exception]
) -> None:
    with (
        open_yard(settings.model_copy(update={"max_upload_bytes": 100_000})) as yard,
        nothing_left(yard),
        pytest.raises(error),
    ):
        upload(yard, name, content, media_type)


def test_a_sample_set_is_made_when_it_is_first_needed(yard: Yard, spec: Make) -> None:
    assert yard.datasets().data == ()
    yard.submit(spec())
    (record,) = yard.datasets().data
    assert (record.name, record.rows, record.media_type) == ("iris", 150, None)
    assert yard.dataset("iris") == record


@pytest.mark.parametrize(
    ("changes", "error", "pointer"),
    [
        ({"data": {"train": "digitz", "target": "label"}}, UnknownDataset, "/data/train"),
        ({"data": {"train": "iris", "target": "lable"}}, SpecError, "/data/target"),
        ({"data": {"train": "iris", "target": "label", "features": ["x"]}}, SpecError, "/data/features/0"),
        ({"loss": {"type": "sigmoid_cross_entropy"}}, SpecError, "/loss/type"),
        ({"training": {"epochs": 2001}}, ResourceLimit, "/training/epochs"),
        ({"training": {"batch_size": 5000}}, ResourceLimit, "/training/batch_size"),
        ({"layers": [{"type": "relu"}, {"type": "dense", "units": 101}]}, ResourceLimit, "/layers/1/units"),
        ({"layers": [{"type": "relu"}] * 9}, ResourceLimit, "/layers"),
        ({"layers": [{"type": "dense", "units": 100}] * 4}, ResourceLimit, "/layers"),
        ({"initializer": {"type": "given", "parameters": "none"}}, UnknownParameters, "/initializer/parameters"),
    ],
)
def test_a_spec_that_cannot_be_meant_is_refused_with_the_field(
    settings: Settings, spec: Make, changes: dict[str, object], error: type[Exception], pointer: str
) -> None:
    limits = {
        "max_epochs": 2000,
        "max_batch_size": 4096,
        "max_units": 100,
        "max_layers": 8,
        "max_parameters": 20_000,
    }
    with open_yard(settings.model_copy(update=limits)) as yard:
        for attempt in (yard.outline, yard.submit):
            with pytest.raises(error) as refused:
                attempt(spec(**changes))
            assert getattr(refused.value, "pointer", None) == pointer
        assert yard.jobs().data == ()


def test_a_slip_in_a_name_is_explained(yard: Yard, spec: Make) -> None:
    with pytest.raises(UnknownDataset, match="digits"):
        yard.submit(spec(data={"train": "digitz", "target": "label"}))


IRIS = {"W1": np.ones((4, 3)), "b1": np.zeros(3)}


@pytest.mark.parametrize(("content", "media_type"), [(npz(**IRIS), NPZ), (save(IRIS), SAFETENSORS)])
def test_a_job_can_start_from_uploaded_parameters(yard: Yard, spec: Make, content: bytes, media_type: str) -> None:
    for new in (True, False):
        with yard.receive() as received:
            received.write(content)
            made, created = yard.add_parameters("mine", media_type, received)
        assert (made.tensors, created) == ({"W1": (4, 3), "b1": (3,)}, new)
    assert yard.submit(spec(initializer={"type": "given", "parameters": "mine"})).state == "queued"
    with pytest.raises(SpecError, match="W1") as refused:
        layers = [{"type": "dense", "units": 7}]
        yard.submit(spec(layers=layers, initializer={"type": "given", "parameters": "mine"}))
    assert refused.value.pointer == "/initializer/parameters"


@pytest.mark.parametrize(
    ("content", "media_type", "error"),
    [
        (npz(W1=np.array([1.0, np.nan])), NPZ, DataError),
        (npz(W1=np.array([object()])), NPZ, DataError),
        (npz(**{"../W1": np.ones(2)}), NPZ, DataError),
        (npz(), NPZ, DataError),
        (b"not a file", NPZ, DataError),
        (save({"W1": np.array([np.inf])}), SAFETENSORS, DataError),
        (save({"W 1": np.ones(2)}), SAFETENSORS, DataError),
        (b"\xff" * 100, SAFETENSORS, DataError),
        (b"", SAFETENSORS, DataError),
        (npz(**IRIS), "text/csv", UnsupportedMediaType),
    ],
)
def test_parameters_that_cannot_be_used_leave_nothing(
    yard: Yard, content: bytes, media_type: str, error: type[Exception]
) -> None:
    with nothing_left(yard), pytest.raises(error), yard.receive() as received:
        received.write(content)
        yard.add_parameters("mine", media_type, received)


def test_a_stored_file_that_was_changed_is_not_used(yard: Yard, spec: Make) -> None:
    with yard.receive() as received:
        received.write(npz(**IRIS))
        yard.add_parameters("mine", NPZ, received)
    (path,) = (yard.settings.data_dir / "parameters").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactDamaged):
        yard.submit(spec(initializer={"type": "given", "parameters": "mine"}))


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_size(yard: Yard, limit: int) -> None:
    with pytest.raises(InvalidPage, match="between 1 and 1000"):
        yard.jobs(limit=limit)


@pytest.mark.parametrize("reference", ["", "a\0b", "\ud800", "%", "x" * 5000, "' OR 1=1 --", "../../etc/passwd"])
def test_nonsense_names_nothing(settings: Settings, database_url: str, reference: str) -> None:
    with open_yard(Settings.model_validate(settings.model_dump() | {"database_url": database_url})) as yard:
        for ask in (yard.job, yard.cancel, yard.model_path, yard.metrics, yard.events):
            with pytest.raises(UnknownJob):
                ask(reference)
        for find in (yard.dataset, yard.preview, yard.delete_dataset):
            with pytest.raises(UnknownDataset):
                find(reference)
        with pytest.raises(UnknownParameters):
            yard.parameters(reference)
        for page in (yard.jobs, yard.datasets, yard.parameter_sets):
            with pytest.raises(InvalidPage):
                page(after=reference)


def test_a_page_behind_the_last_entry_is_empty(yard: Yard, spec: Make) -> None:
    job = yard.submit(spec())
    assert yard.events(job.id, after=10**30).data == ()
    assert yard.metrics(job.id, after=-(10**30)).data == ()
    assert len(yard.events(job.id, after=-5).data) == 1


def test_every_error_has_a_code_of_its_own() -> None:
    def leaves(error: type[WorkerError]) -> Iterator[type[WorkerError]]:
        for child in error.__subclasses__():
            yield from leaves(child)
        if not error.__subclasses__():
            yield error

    codes = [error.code for error in leaves(WorkerError)]
    assert len(codes) == len(set(codes)) > 15
