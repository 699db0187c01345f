"""A batch prediction is queued, claimed, made in bounded memory and answered as the engine answers."""

import csv
import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from arro3.io import read_parquet

from engine import JobSpec, load
from engine.answer_files import AnswerFormat
from tests.worker.conftest import ROOT
from worker.backend import Backend
from worker.domain.principals import LOCAL
from worker.domain.work_items import Failure, Status
from worker.errors import (
    DatasetInUse,
    LeaseLost,
    NoResult,
    UnknownBatch,
    UnknownDataset,
    VersionInUse,
)
from worker.process.child import WorkerProcess
from worker.settings import Settings
from worker.store import Store, open_store
from worker.workspace import Workspace

HEADER = "a,b,color,extra,y"


def table(rows: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    a, b, color = rng.normal(size=rows), rng.integers(0, 9, rows), rng.integers(0, 3, rows)
    text = io.StringIO()
    print(HEADER, file=text)
    for number in range(rows):
        answer = "yes" if a[number] + color[number] > 1 else "no"
        print(f"{a[number]:.4f},{b[number]},{['red', 'green', 'blue'][color[number]]},7,{answer}", file=text)
    return text.getvalue().encode()


def upload(backend: Workspace, name: str, content: bytes) -> str:
    with backend.receive() as file:
        file.write(content)
        return backend.datasets.add(name, "text/csv", file)[0].id


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Nothing is swept but when a test says so."""
    return settings.model_copy(update={"sweep_seconds": 3600.0})


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with closing(open_store(settings)) as opened:
        yield opened


@pytest.fixture
def process(opened: Backend, settings: Settings) -> Iterator[WorkerProcess]:
    process = WorkerProcess(settings, opened.broker, draining=lambda: False)
    yield process
    process.close()


@pytest.fixture
def model(backend: Workspace, process: WorkerProcess) -> str:
    """A registered model of a job that was really trained."""
    upload(backend, "small", table(60))
    spec = {
        "data": {"train": "small", "target": "y", "columns": {"extra": {"type": "ignore"}}},
        "layers": [{"type": "dense", "units": 4}, {"type": "relu"}],
        "training": {"epochs": 2},
        "checks": {"gradients": []},
    }
    job = backend.jobs.submit(JobSpec.model_validate(spec))
    process.work(job.id)
    backend.models.register("colors", job.id)
    return "colors"


def test_the_result_is_what_the_engine_answers_row_by_row(
    backend: Workspace, process: WorkerProcess, model: str
) -> None:
    upload(backend, "large", table(5000, seed=1))
    asked = backend.batches.create(model, None, "large", "csv")
    assert (asked.state, asked.rows, asked.rows_done) == (Status.QUEUED, 5000, 0)
    process.work(asked.id)
    done = backend.batches.get(model, asked.id)
    assert (done.state, done.rows_done, done.error) == (Status.SUCCEEDED, 5000, None)
    served = load(backend.models.version_path(backend.models.version(model)))
    rows = list(csv.DictReader(io.StringIO(table(5000, seed=1).decode())))
    sent = [{"a": float(row["a"]), "b": int(row["b"]), "color": row["color"]} for row in rows]
    expected = served.predict(sent)
    with backend.batches.result(done).open() as file:
        found = list(csv.DictReader(file))
    assert [row["label"] for row in found] == [one["label"] for one in expected]
    for name in ("yes", "no"):
        wanted = np.array([one["probabilities"][name] for one in expected], np.float32)  # type: ignore[index]
        np.testing.assert_array_equal(np.array([row[f"probability_{name}"] for row in found], np.float32), wanted)


def test_parquet_holds_the_same(backend: Workspace, process: WorkerProcess, model: str) -> None:
    batches = [backend.batches.create(model, None, "small", form) for form in ("csv", "parquet")]
    for batch in batches:
        process.work(batch.id)
    as_csv, as_parquet = (backend.batches.result(backend.batches.get(model, batch.id)) for batch in batches)
    with as_csv.open() as file:
        expected = list(csv.DictReader(file))
    read = read_parquet(str(as_parquet)).read_all()
    assert read.num_rows == 60 and list(read.schema.names) == ["label", "probability_no", "probability_yes"]
    assert read["label"].to_pylist() == [row["label"] for row in expected]
    np.testing.assert_array_equal(
        np.array(read["probability_no"].to_pylist(), np.float32),
        np.array([row["probability_no"] for row in expected], np.float32),
    )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_result_begins_with_what_tells_its_rows_apart(
    backend: Workspace, process: WorkerProcess, model: str, form: AnswerFormat
) -> None:
    lines = table(40, seed=2).decode().splitlines()
    named = [f"{name},{line}" for name, line in zip(["who", *(f"00{row}" for row in range(40))], lines, strict=True)]
    upload(backend, f"named-{form}", "\n".join(named).encode())
    asked = backend.batches.create(model, None, f"named-{form}", form, threshold=0.0)
    chosen = backend.batches.create(model, None, f"named-{form}", form, keep=["extra", "who"])
    assert (asked.keep, asked.threshold, chosen.keep, chosen.threshold) == (("who",), 0.0, ("extra", "who"), None)
    found = []
    for batch in (asked, chosen):
        process.work(batch.id)
        path = backend.batches.result(backend.batches.get(model, batch.id))
        if form == "csv":
            with path.open() as file:
                found.append(list(csv.DictReader(file)))
        else:
            read = read_parquet(str(path)).read_all()
            columns = {name: read[name].to_pylist() for name in read.schema.names}
            found.append([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])
    first, second = found
    assert [row["who"] for row in first] == [f"00{row}" for row in range(40)]
    assert {row["label"] for row in first} == {"yes"}  # which is the second of two, and likelier than nothing
    assert list(second[0])[:3] == ["extra", "who", "label"] and {str(row["extra"]) for row in second} == {"7"}


def test_a_strict_version_fails_at_the_first_row_that_lacks_something(
    backend: Workspace, process: WorkerProcess, model: str
) -> None:
    upload(backend, "gappy", b"a,b,color\n1,2,red\n1,,red\n,2,blue\n")
    backend.models.change_serving(model, 1, {"strict": True})
    batch = backend.batches.create(model, None, "gappy", "csv")
    process.work(batch.id)
    failed = backend.batches.get(model, batch.id)
    assert failed.state is Status.FAILED and failed.error is not None and failed.file is None
    assert failed.error.message == "row 1 lacks 'b', and version 1 of the model is strict"


def test_what_does_not_fit_is_refused_or_fails_with_its_row(
    backend: Workspace, process: WorkerProcess, model: str
) -> None:
    upload(backend, "narrow", b"x,colour\n1,red\n2,blue\n")
    with pytest.raises(Exception, match="no column 'a'") as refused:
        backend.batches.create(model, None, "narrow", "csv")
    assert refused.value.pointer == "/dataset"  # type: ignore[attr-defined]
    with pytest.raises(UnknownDataset):
        backend.batches.create(model, None, "nothing", "csv")
    upload(backend, "holes", b"a,b,color\n1,2,red\n2,NA,blue\n3,much,red\n<4,1,red\n")
    batch = backend.batches.create(model, None, "holes", "csv")
    with pytest.raises(NoResult):
        backend.batches.result(batch)
    process.work(batch.id)
    failed = backend.batches.get(model, batch.id)
    assert failed.state is Status.FAILED and failed.error is not None
    assert "row 2, field 'b' holds 'much'; it takes numbers" in failed.error.message
    assert "row 3, field 'a' holds '<4'" in failed.error.message


def test_what_is_needed_cannot_be_deleted(backend: Workspace, process: WorkerProcess, model: str) -> None:
    upload(backend, "other", table(40, seed=2))
    batch = backend.batches.create(model, 1, "other", "csv")
    with pytest.raises(DatasetInUse, match=batch.id):
        backend.datasets.delete("other")
    with pytest.raises(VersionInUse, match=batch.id):
        backend.models.delete_version(model, 1)
    process.work(batch.id)
    backend.datasets.delete("other")
    path = backend.batches.result(backend.batches.get(model, batch.id))
    backend.batches.delete(model, batch.id)
    assert not path.exists()
    with pytest.raises(UnknownBatch):
        backend.batches.get(model, batch.id)
    backend.models.delete_version(model, 1)


def test_one_that_is_deleted_while_it_is_made_leaves_nothing(
    backend: Workspace, process: WorkerProcess, store: Store, model: str, settings: Settings
) -> None:
    batch = backend.batches.create(model, None, "small", "csv")
    claim = store.work_items.claim(batch.id, "worker")
    assert claim is not None
    backend.batches.delete(model, batch.id)
    with pytest.raises(LeaseLost):
        store.work_items.renew(claim, {"rows": 3})
    process.work(batch.id)  # there is nothing to claim any more
    assert not list((settings.data_dir / "predictions").glob("*"))


def test_a_worker_that_falls_silent_loses_it(
    backend: Workspace, process: WorkerProcess, store: Store, model: str
) -> None:
    batch = backend.batches.create(model, None, "small", "csv")
    expiring = Store(
        store.database, backend.settings.model_copy(update={"lease_seconds": -1.0, "max_attempts": 2})
    ).work_items
    late = expiring.claim(batch.id, "worker")
    assert late is not None and (batch.id, batch.id) in expiring.expired()
    assert expiring.expire(batch.id) is Status.QUEUED
    with pytest.raises(LeaseLost):
        expiring.fail(late, Failure("late", "too late"))
    process.work(batch.id)
    assert backend.batches.get(model, batch.id).state is Status.SUCCEEDED
    again = backend.batches.create(model, None, "small", "csv")
    for _ in range(2):
        expiring.claim(again.id, "worker")
    assert expiring.expire(again.id) is Status.FAILED
    error = backend.batches.get(model, again.id).error
    assert error is not None and error.code == "worker_lost"


def test_one_whose_worker_the_kernel_ended_is_told_so_without_the_advice_for_trainings(
    backend: Workspace, process: WorkerProcess, store: Store, model: str
) -> None:
    batch = backend.batches.create(model, None, "small", "csv")
    ended = subprocess.Popen([sys.executable, "-P", "-c", ""])
    ended.wait()
    store.workers.seen("worker_lost", host=socket.gethostname(), pid=ended.pid, queues=["cpu"], job_id=None)
    unknown = store.work_items.create(LOCAL, "of a newer version", {}, queue="cpu", priority=5, max_queued=9).id
    for item_id in (batch.id, unknown):
        assert store.work_items.claim(item_id, "worker_lost") is not None
    process.tell_of_starved_items()
    failed = backend.batches.get(model, batch.id)
    assert failed.state is Status.FAILED and failed.error is not None
    assert (failed.error.code, failed.error.param) == ("out_of_memory", None)
    assert "batch prediction" in failed.error.message
    assert store.work_items.get(LOCAL, unknown).state is Status.RUNNING, "somebody else's business"


PEAK = """
import resource, sys
from pathlib import Path
from worker.settings import Settings
from worker.queue.broker import find_broker
from worker.process.child import WorkerProcess

settings = Settings(data_dir=Path(sys.argv[1]), redis_url=sys.argv[3])
process = WorkerProcess(settings, find_broker(settings), draining=lambda: False)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
process.work(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
process.close()
"""


@pytest.mark.accept
def test_a_million_rows_need_no_more_memory_than_a_few_thousand(
    backend: Workspace, process: WorkerProcess, model: str, settings: Settings, redis_url: str
) -> None:
    rng = np.random.default_rng(3)
    rows = 1_000_000
    file = io.BytesIO()
    file.write(b"a,b,color\n")
    for _ in range(100):
        part = np.char.mod("%.4f", rng.normal(size=rows // 100))
        file.write("\n".join(f"{a},3,red" for a in part.tolist()).encode() + b"\n")
    upload(backend, "million", file.getvalue())
    batch = backend.batches.create(model, None, "million", "csv")
    command = [sys.executable, "-P", "-c", PEAK, str(settings.data_dir), batch.id, redis_url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    finished = backend.batches.get(model, batch.id)
    assert finished.state is Status.SUCCEEDED and finished.rows_done == rows
    with backend.batches.result(finished).open() as lines:
        assert sum(1 for _ in lines) == rows + 1
    assert int(done.stdout.splitlines()[-1]) < 150 * 1024  # kilobytes; the rows as floats alone would take 24 MB a copy
