"""Rows that are made inputs batch by batch train the network that floats in memory train."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.inputs
from engine import DataHeld, Dataset, JobSpec, Network, PreparedData, RandomStreams, Table, prepare, train
from engine.data.column_types import BooleanType, CategoryType, NumberType
from engine.data.storage import stored
from engine.examples import examples_of
from engine.inputs import RawRows
from engine.variation import Variation
from tests.engine.jobs import finished, rows_of
from tests.until import until

FILE = 1  # byte of memory: nothing is held in it


@pytest.fixture(autouse=True)
def little_files_stay_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and windows as small against these tables as real ones are against real files."""
    monkeypatch.setattr(stored, "SMALL", 0)
    monkeypatch.setattr(engine.inputs, "BLOCK_BYTES", 512)
    monkeypatch.setattr(engine.inputs, "WINDOW_BLOCKS", 8)


def people(m: int = 300, seed: int = 0) -> Table:
    """Numbers, some missing, yes and no, categories and little images, of which most tell the label."""
    generator = np.random.default_rng(seed)
    age = generator.normal(40, 12, m)
    married = generator.integers(0, 2, m).astype(float)
    town = generator.integers(-1, 3, m).astype(np.int32)
    face = generator.integers(0, 256, (m, 3, 3)).astype(np.uint8)
    label = (age / 12 + married + town + face[:, 1, 1] / 128 > 6).astype(np.int64)
    return Table(
        {"age": np.where(generator.random(m) < 0.1, np.nan, age), "married": married, "town": town, "face": face,
         "label": label},
        {"age": NumberType(), "married": BooleanType(), "town": CategoryType(labels=("Ash", "Bow", "Cam"))},
    )  # fmt: skip


def saved(folder: Path, table: Table, *, given: bool = True) -> Dataset:
    """The table in a file, in parts of its own if wanted."""
    third = table.rows // 3
    parts = {"train": table.take(slice(2 * third)), "dev": table.take(slice(2 * third, None))}
    Dataset(parts if given else {"all": table}).save(folder / "d.safetensors")
    return Dataset.load(folder / "d.safetensors")


def job(**fields: object) -> JobSpec:
    return JobSpec.model_validate(
        {
            "data": {"train": "d", "target": "label"},
            "layers": [{"type": "dense", "units": 8}, {"type": "tanh"}],
            "training": {"epochs": 3, "batch_size": 16},
            "precision": "float64",
        }
        | fields
    )


def prepared(spec: JobSpec, dataset: Dataset, memory_bytes: int | None) -> tuple[Network, PreparedData]:
    data = prepare(spec.data, {"d": dataset}, dtype=spec.precision, memory_bytes=memory_bytes)
    return Network.of(spec, data.preprocessor), data


def trained(spec: JobSpec, dataset: Dataset, memory_bytes: int | None) -> tuple[str, list[dict[str, float]], object]:
    """How the data was held, the metrics of every epoch without times, and the result."""
    network, data = prepared(spec, dataset, memory_bytes)
    events = list(train(network, spec, data))
    held = next(event.held for event in events if isinstance(event, DataHeld))
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in rows_of(events)]
    return held, rows, finished(events).result


@pytest.mark.parametrize("given_parts", [True, False], ids=["parts of its own", "fractions"])
def test_data_is_held_as_floats_as_rows_or_in_its_file_as_memory_allows(tmp_path: Path, given_parts: bool) -> None:
    dataset = saved(tmp_path, people(), given=given_parts)
    raw = 300 * (8 + 8 + 4 + 9 + 8)
    holdings = {}
    for memory in (None, 10**6, raw + 1, raw - 1):
        _, data = prepared(job(), dataset, memory)
        assert set(data.y) == set(data.x or data.tables)
        holdings[memory] = data.holding
    assert [h.held for h in holdings.values()] == ["memory", "memory", "rows", "file"]
    assert holdings[None].bytes == 300 * data.preprocessor.n_in * 8
    assert {h.rows for h in holdings.values()} == {300}


@pytest.mark.parametrize("memory", [300 * 40, FILE], ids=["rows", "file"])
def test_the_order_being_the_same_metrics_are_the_same_however_rows_are_held(tmp_path: Path, memory: int) -> None:
    dataset = saved(tmp_path, people())
    spec = job(training={"epochs": 3, "batch_size": 16, "shuffle": False})
    (held, rows, result), (there, expected, wanted) = trained(spec, dataset, memory), trained(spec, dataset, None)
    assert (held != "memory", there) == (True, "memory")
    assert isinstance(result, dict) and isinstance(wanted, dict)
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-9)
    assert result["dev"]["cost"] == pytest.approx(wanted["dev"]["cost"], rel=1e-9)


def test_raw_rows_in_memory_are_shuffled_as_floats_are(tmp_path: Path) -> None:
    dataset = saved(tmp_path, people())
    assert trained(job(), dataset, 300 * 40)[1] == trained(job(), dataset, None)[1]


@given(
    m=st.integers(2, 90), size=st.integers(1, 100), epoch=st.integers(1, 50), seed=st.integers(0, 9), cut=st.booleans()
)
def test_every_row_of_a_file_comes_once_an_epoch_with_its_own_inputs(
    new_folder: Callable[[], Path], m: int, size: int, epoch: int, seed: int, cut: bool
) -> None:
    table = people(90 + 2 * m)
    table = Table(table.columns | {"label": np.arange(table.rows) % 2}, table.types)
    dataset = saved(new_folder(), table, given=cut)
    _, data = prepared(job(), dataset, FILE)
    raw = data.tables["train"]
    inputs = RawRows(raw, data.preprocessor, np.float64)
    assert inputs.in_file
    all_inputs = data.preprocessor.features(raw.read())
    seen = []
    for batch in inputs.batches(size, epoch=epoch, streams=RandomStreams(seed)):
        assert batch.X is not None
        np.testing.assert_array_equal(batch.X, all_inputs[batch.rows])
        seen.append(np.array(batch.rows))
    assert [len(rows) for rows in seen[:-1]] == [size] * (len(seen) - 1)
    order = np.concatenate(seen)
    np.testing.assert_array_equal(np.sort(order), np.arange(raw.rows))
    again = [np.array(batch.rows) for batch in inputs.batches(size, epoch=epoch, streams=RandomStreams(seed))]
    np.testing.assert_array_equal(np.concatenate(again), order)


def test_blocks_of_a_file_come_in_a_new_order_every_epoch_mixed_within_windows(tmp_path: Path) -> None:
    dataset = saved(tmp_path, people(900))
    network, data = prepared(job(), dataset, FILE)
    examples = examples_of("train", network, data, np.float64)
    orders = [
        np.concatenate([batch.rows for batch in examples.batches(16, epoch=epoch, streams=RandomStreams(0))])
        for epoch in (1, 2)
    ]
    assert (orders[0] != orders[1]).any()
    block = examples.inputs.block  # type: ignore[attr-defined]
    assert 1 < block < 100
    first_window = orders[0][: 8 * block] // block
    assert len(np.unique(first_window)) == 8  # whole blocks, from here and there
    assert (np.diff(first_window) != 0).mean() > 0.5  # not one after the other


def test_parts_drawn_at_random_lie_in_the_order_of_the_file(tmp_path: Path) -> None:
    dataset = saved(tmp_path, people(), given=False)
    _, data = prepared(job(), dataset, FILE)
    _, unbounded = prepared(job(), dataset, None)
    for part, table in data.tables.items():
        found = data.preprocessor.features(table.read())
        expected = unbounded.x[part]
        marks = np.random.default_rng(0).standard_normal(found.shape[1])
        order, other = np.argsort(found @ marks), np.argsort(expected @ marks)
        np.testing.assert_allclose(found[order], expected[other], rtol=1e-9, atol=1e-12)
        block = next(iter(table.columns.values())).block  # type: ignore[attr-defined]
        assert (np.diff(block.places()) > 0).all()


@pytest.mark.parametrize("augment", [[], [{"type": "rotate", "degrees": 0}]], ids=["as they are", "varied"])
def test_a_portion_stays_as_it_is_while_the_next_ones_are_made(
    augment: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    m, size, n_in = 160, 16, 9
    for name in ("PORTION", "GATHERED", "CACHED"):
        monkeypatch.setattr(engine.inputs, name, size * n_in)
    monkeypatch.setattr(engine.inputs, "COLUMN_ROWS", 1)
    faces = np.random.default_rng(0).integers(0, 256, (m, 3, 3), np.uint8)
    table = Table({"face": faces, "label": np.arange(m) % 2})
    spec = job(data={"train": "d", "target": "label", "augment": augment}).data
    data = prepare(spec, {"d": Dataset({"train": table})}, dtype="float64")
    varied = Variation(spec.augment, data.preprocessor, 0) if augment else None
    made, vary = [0], RawRows._vary

    def counted(self: RawRows, *arguments: Any) -> None:
        vary(self, *arguments)
        made[0] += len(arguments[-1])

    monkeypatch.setattr(RawRows, "_vary", counted)
    inputs = RawRows(table.select(["face"]), data.preprocessor, np.float64, varied)
    expected, seen = data.preprocessor.features(table.select(["face"])), 0
    for rows, X, _ in inputs.portions(size, epoch=1, streams=RandomStreams(0)):
        seen += len(rows)  # type: ignore[arg-type]
        ahead = min(m, seen + (engine.inputs.AHEAD + 1) * size) if augment else 0
        until(lambda ahead=ahead: made[0] >= ahead)
        np.testing.assert_array_equal(X, expected[rows])
    assert seen == m


def test_gradients_are_checked_on_raw_rows(tmp_path: Path) -> None:
    dataset = saved(tmp_path, people())
    spec = job(checks={"gradients": ["start"]}, precision="float32")
    network, data = prepared(spec, dataset, FILE)
    report = next(e.report for e in train(network, spec, data) if e.type == "gradients_checked")  # type: ignore[attr-defined]
    assert report.verdict == "great"


@pytest.mark.parametrize(
    "augment", [[{"type": "rotate"}, {"type": "noise"}], [{"type": "mixup"}]], ids=["images", "mixup"]
)
def test_rows_vary_in_training_and_nowhere_else(tmp_path: Path, augment: list[object]) -> None:
    table = people().select(["face", "label"])
    dataset = saved(tmp_path, table)
    still = {"train": "d", "target": "label"}
    data = still | {"augment": augment}
    frozen = {"optimizer": {"type": "gradient_descent", "learning_rate": 1e-300}}
    varied, plain = trained(job(data=data, **frozen), dataset, None), trained(job(data=still, **frozen), dataset, None)
    assert varied[0] == "rows"
    assert varied[1][0]["train_cost"] != varied[1][1]["train_cost"] != plain[1][0]["train_cost"]
    assert varied[1][0]["dev_cost"] == pytest.approx(plain[1][0]["dev_cost"], rel=1e-9)
    assert varied[2]["train"]["cost"] == pytest.approx(plain[2]["train"]["cost"], rel=1e-9)  # type: ignore[index]
    assert trained(job(data=data), dataset, None)[1] == trained(job(data=data), dataset, None)[1]


def test_the_same_seed_gives_the_same_weights_in_another_process(tmp_path: Path) -> None:
    saved(tmp_path, people())
    program = (
        "import sys; from pathlib import Path; from tests.engine.test_inputs import *\n"
        "stored.SMALL, engine.inputs.BLOCK_BYTES, engine.inputs.WINDOW_BLOCKS = 0, 512, 8\n"  # as here
        "result = trained(job(seed=7), Dataset.load(Path(sys.argv[1])), FILE)[2]; print(result['weights_sha256'])"
    )
    command = [sys.executable, "-P", "-c", program, str(tmp_path / "d.safetensors")]
    root = Path(__file__).parents[2]
    there = subprocess.check_output(command, text=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
    here = trained(job(seed=7), Dataset.load(tmp_path / "d.safetensors"), FILE)[2]
    assert there.strip() == here["weights_sha256"]


BOUNDED = """
import json, resource, sys
from pathlib import Path
from engine import DataHeld, Dataset, JobSpec, Network, prepare, train
from engine.kernels import warm

warm()  # as a worker does: compiling takes memory of its own, once
room = int(dict(line.split(":") for line in open("/proc/self/status"))["VmSize"].split()[0]) * 1024 + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (room, room))
spec = JobSpec.model_validate({"data": {"train": "d", "target": "label"}, "training": {"epochs": 1, "batch_size": 256}})
held = []
try:
    data = prepare(spec.data, {"d": Dataset.load(Path(sys.argv[1]))}, dtype="float32", memory_bytes=eval(sys.argv[3]))
    for event in train(Network.of(spec, data.preprocessor), spec, data):
        held += [event.held] if isinstance(event, DataHeld) else []
    held.append(event.result["train"]["examples"])
except MemoryError:
    held.append("MemoryError")
print(json.dumps(held))
"""


@pytest.mark.accept
def test_a_file_larger_than_the_address_space_is_trained_on(tmp_path: Path) -> None:
    """320 MB of rows in 256 MB beside the interpreter; held in memory, the same rows do not fit."""
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (100_000, 3200), np.uint8)
    Dataset({"train": Table({"x": x, "label": x[:, 0] // 64})}).save(tmp_path / "d.safetensors")
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])

    def answer(memory: str) -> object:
        command = [sys.executable, "-P", "-c", BOUNDED, str(tmp_path / "d.safetensors"), str(256 << 20), memory]
        return json.loads(subprocess.check_output(command, text=True, env=environment))

    assert answer("32 << 20") == ["file", 100_000]
    assert answer("None") == ["MemoryError"]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY  # the limit was the child's
