"""What the backend takes in and what it refuses; nothing refused leaves a row or a file."""

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
from worker.backend import open_backend
from worker.domain.datasets import DatasetRecord
from worker.domain.principals import LOCAL
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
from worker.settings import Settings
from worker.workspace import Workspace

Make = Callable[..., JobSpec]
CSV = b"a,b,label\n" + b"".join(b"%d,%d,%d\n" % (row, row * row % 7, row % 2) for row in range(40))
NPZ, SAFETENSORS = "application/x-npz", "application/vnd.safetensors"


def files(settings: Settings) -> set[str]:
    folders = ("datasets", "parameters", "unfinished", "models")
    return {str(path) for name in folders for path in (settings.data_dir / name).rglob("*") if path.is_file()}


def upload(
    backend: Workspace, name: str, content: bytes = CSV, media_type: str = "text/csv"
) -> tuple[DatasetRecord, bool]:
    with backend.receive() as received:
        for start in range(0, len(content), 100):
            received.write(content[start : start + 100])
        return backend.datasets.add(name, media_type, received)


def npz(**arrays: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **arrays)
    return file.getvalue()


@contextmanager
def nothing_left(backend: Workspace) -> Iterator[None]:
    before = files(backend.settings)
    yield
    assert files(backend.settings) == before
    assert not backend.datasets.page().data
    assert not backend.jobs.page().data
    assert not backend.parameters.page().data


def test_an_upload_becomes_a_dataset_that_a_job_can_learn_from(backend: Workspace, spec: Make) -> None:
    record, new = upload(backend, "mine")
    assert (new, record.rows, record.bytes, record.media_type) == (True, 40, len(CSV), "text/csv")
    assert backend.datasets.find("mine") == backend.datasets.find(record.id) == record
    assert backend.datasets.preview("mine", limit=2)["rows"] == [
        {"a": 0, "b": 0, "label": 0},
        {"a": 1, "b": 1, "label": 1},
    ]
    job = backend.jobs.submit(spec(data={"train": "mine", "target": "label"}))
    assert backend.jobs.submit(spec(data={"train": record.id, "target": "label"})).data_hash == job.data_hash
    assert JobSpec.model_validate(job.spec).data.train == "mine"


def test_the_same_upload_twice_is_one_dataset_and_another_is_its_next_version(backend: Workspace, spec: Make) -> None:
    record, _ = upload(backend, "mine")
    assert upload(backend, "mine") == (record, False)
    job = backend.jobs.submit(spec(data={"train": "mine", "target": "label"}))
    newer, new = upload(backend, "mine", CSV + b"1,2,1\n")
    assert (new, record.version, newer.version) == (True, 1, 2)
    assert backend.datasets.find("mine") == backend.datasets.find("mine@2") == newer
    assert backend.datasets.find("mine@1") == backend.datasets.find(record.id) == record
    later = backend.jobs.submit(spec(data={"train": "mine", "target": "label"}))
    pinned = backend.jobs.submit(spec(data={"train": "mine@1", "target": "label"}))
    assert job.data_hash == pinned.data_hash != later.data_hash


def test_a_dataset_goes_when_no_job_needs_it(backend: Workspace, spec: Make) -> None:
    upload(backend, "mine")
    job = backend.jobs.submit(spec(data={"train": "mine", "target": "label"}))
    with pytest.raises(DatasetInUse, match=job.id):
        backend.datasets.delete("mine")
    backend.jobs.cancel(job.id)
    backend.datasets.delete("mine")
    assert files(backend.settings) == set()
    with pytest.raises(UnknownDataset):
        backend.datasets.delete("mine")


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
        open_backend(settings.model_copy(update={"max_upload_bytes": 100_000})) as opened,
        nothing_left(opened.on_behalf_of(LOCAL)),
        pytest.raises(error),
    ):
        upload(opened.on_behalf_of(LOCAL), name, content, media_type)


def test_a_sample_set_is_made_when_it_is_first_needed(backend: Workspace, spec: Make) -> None:
    assert backend.datasets.page().data == ()
    backend.jobs.submit(spec())
    (record,) = backend.datasets.page().data
    assert (record.name, record.rows, record.media_type) == ("iris", 150, None)
    assert backend.datasets.find("iris") == record


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
    with open_backend(settings.model_copy(update=limits)) as opened:
        backend = opened.on_behalf_of(LOCAL)
        for attempt in (backend.jobs.outline, backend.jobs.submit):
            with pytest.raises(error) as refused:
                attempt(spec(**changes))
            assert getattr(refused.value, "pointer", None) == pointer
        assert backend.jobs.page().data == ()


def test_a_slip_in_a_name_is_explained(backend: Workspace, spec: Make) -> None:
    with pytest.raises(UnknownDataset, match="digits"):
        backend.jobs.submit(spec(data={"train": "digitz", "target": "label"}))


IRIS = {"W1": np.ones((4, 3)), "b1": np.zeros(3)}


@pytest.mark.parametrize(("content", "media_type"), [(npz(**IRIS), NPZ), (save(IRIS), SAFETENSORS)])
def test_a_job_can_start_from_uploaded_parameters(
    backend: Workspace, spec: Make, content: bytes, media_type: str
) -> None:
    for new in (True, False):
        with backend.receive() as received:
            received.write(content)
            made, created = backend.parameters.add("mine", media_type, received)
        assert (made.tensors, created) == ({"W1": (4, 3), "b1": (3,)}, new)
    assert backend.jobs.submit(spec(initializer={"type": "given", "parameters": "mine"})).state == "queued"
    with pytest.raises(SpecError, match="W1") as refused:
        layers = [{"type": "dense", "units": 7}]
        backend.jobs.submit(spec(layers=layers, initializer={"type": "given", "parameters": "mine"}))
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
    backend: Workspace, content: bytes, media_type: str, error: type[Exception]
) -> None:
    with nothing_left(backend), pytest.raises(error), backend.receive() as received:
        received.write(content)
        backend.parameters.add("mine", media_type, received)


def test_a_stored_file_that_was_changed_is_not_used(backend: Workspace, spec: Make) -> None:
    with backend.receive() as received:
        received.write(npz(**IRIS))
        backend.parameters.add("mine", NPZ, received)
    (path,) = (backend.settings.data_dir / "parameters").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactDamaged):
        backend.jobs.submit(spec(initializer={"type": "given", "parameters": "mine"}))


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_size(backend: Workspace, limit: int) -> None:
    with pytest.raises(InvalidPage, match="between 1 and 1000"):
        backend.jobs.page(limit=limit)


@pytest.mark.parametrize("reference", ["", "a\0b", "\ud800", "%", "x" * 5000, "' OR 1=1 --", "../../etc/passwd"])
def test_nonsense_names_nothing(settings: Settings, database_url: str, reference: str) -> None:
    with open_backend(Settings.model_validate(settings.model_dump() | {"database_url": database_url})) as opened:
        backend = opened.on_behalf_of(LOCAL)
        for ask in (
            backend.jobs.get,
            backend.jobs.cancel,
            backend.jobs.model_path,
            backend.jobs.metrics,
            backend.jobs.events,
        ):
            with pytest.raises(UnknownJob):
                ask(reference)
        for find in (backend.datasets.find, backend.datasets.preview, backend.datasets.delete):
            with pytest.raises(UnknownDataset):
                find(reference)
        with pytest.raises(UnknownParameters):
            backend.parameters.find(reference)
        for page in (backend.jobs.page, backend.datasets.page, backend.parameters.page):
            with pytest.raises(InvalidPage):
                page(after=reference)


def test_a_page_behind_the_last_entry_is_empty(backend: Workspace, spec: Make) -> None:
    job = backend.jobs.submit(spec())
    assert backend.jobs.events(job.id, after=10**30).data == ()
    assert backend.jobs.metrics(job.id, after=-(10**30)).data == ()
    assert len(backend.jobs.events(job.id, after=-5).data) == 1


def test_every_error_has_a_code_of_its_own() -> None:
    def leaves(error: type[WorkerError]) -> Iterator[type[WorkerError]]:
        for child in error.__subclasses__():
            yield from leaves(child)
        if not error.__subclasses__():
            yield error

    codes = [error.code for error in leaves(WorkerError)]
    assert len(codes) == len(set(codes)) > 15
