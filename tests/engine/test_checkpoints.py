"""A run that was cut anywhere and resumed ends as one that never stopped, to the last bit."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine.inputs
import engine.training
from engine import (
    Change,
    Changed,
    ChangeRefused,
    Checkpoint,
    CheckpointMade,
    CheckpointMismatch,
    DataError,
    Dataset,
    Diverged,
    EpochEnded,
    Event,
    Finished,
    GradientsChecked,
    JobSpec,
    LayersMeasured,
    Network,
    PreparedData,
    Progressed,
    Save,
    SpecError,
    Table,
    Warned,
    load,
    prepare,
    train,
)
from engine.data.storage import stored
from engine.hyperparameters import changes
from tests.engine.jobs import events_of, finished, prepared, rows_of, spec_of, toy
from tests.engine.test_any_spec import TRAIN, given_parameters, jobs


@pytest.fixture(autouse=True)
def every_batch_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """And files are as large against their blocks and windows as real ones are."""
    monkeypatch.setattr(engine.training, "TICK_SECONDS", -1.0)
    monkeypatch.setattr(stored, "SMALL", 0)
    monkeypatch.setattr(engine.inputs, "BLOCK_BYTES", 512)
    monkeypatch.setattr(engine.inputs, "WINDOW_BLOCKS", 8)


def cut(events: Any, place: int, file: Path) -> tuple[list[Event], Checkpoint | None]:
    """What a run tells until it is asked, at event number `place`, for a checkpoint; None if it was over before."""
    seen: list[Event] = []
    answer = None
    try:
        while True:
            seen.append(events.send(answer))
            if isinstance(seen[-1], CheckpointMade):
                seen.pop().checkpoint.save(file)  # type: ignore[attr-defined]
                return seen, Checkpoint.load(file)
            answer = Save() if len(seen) == place + 1 else None
    except StopIteration:
        return seen, None
    finally:
        events.close()


def resumed(
    spec: JobSpec, network: Network, data: PreparedData, place: int, file: Path, **arguments: Any
) -> list[Event]:
    """The events of a run that was cut, as its store would have them: those behind the checkpoint come once."""
    seen, checkpoint = cut(train(network, spec, data, **arguments), place, file)
    if checkpoint is None:
        return seen
    kept = [event for event in seen if epoch_of(event) <= checkpoint.epoch]
    again = {name: value for name, value in arguments.items() if name != "given"}  # which it no longer needs
    return kept + list(train(network, spec, data, resume_from=checkpoint, **again))


def epoch_of(event: Event) -> int:
    match event:
        case EpochEnded(row=row):
            return int(row["epoch"] or 0)
        case LayersMeasured(epoch=epoch) | Warned(epoch=int(epoch)):
            return epoch
        case GradientsChecked(report=report):
            return report.at if isinstance(report.at, int) else 0
    return 0


def told(events: list[Event]) -> Iterator[object]:
    """All that must be the same, in its order."""
    for event in events:
        match event:
            case EpochEnded(row=row):
                yield {name: value for name, value in row.items() if name != "seconds"}
            case LayersMeasured() | Warned() | GradientsChecked():
                yield event
            case Finished(result=result):
                yield result


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(job=jobs(), place=st.integers(0, 60))
def test_a_run_of_any_spec_cut_anywhere_ends_with_the_same_bits(
    new_folder: Callable[[], Path], job: tuple[str, JobSpec], place: int
) -> None:
    kind, spec = job
    moments = {"checks": {"gradients": ["start", 1, "end"]}} if spec.seed % 4 == 0 else {"checks": {"gradients": []}}
    spec = JobSpec.model_validate(spec.model_dump(mode="json") | moments)
    network, data = prepared(spec, toy(kind, m=TRAIN))
    arguments = {"given": given_parameters(network, spec.seed)}
    try:
        whole = list(train(network, spec, data, **arguments))  # type: ignore[arg-type]
    except Diverged:
        return
    parts = resumed(spec, network, data, place, new_folder() / "c.safetensors", **arguments)
    assert list(told(parts)) == list(told(whole))
    one, other = finished(parts).model.parameters, finished(whole).model.parameters
    assert one.theta.tobytes() == other.theta.tobytes() and one.averages.tobytes() == other.averages.tobytes()


RNG = np.random.default_rng(0)
FACES = Table({"x": RNG.integers(0, 256, (330, 6, 6), dtype=np.uint8), "label": RNG.integers(0, 3, 330)})


def faces(folder: Path, memory: int | None, **fields: object) -> tuple[JobSpec, Network, PreparedData]:
    """Little pictures in a file, held in memory as far as that goes."""
    parts = {"train": FACES.take(slice(250)), "dev": FACES.take(slice(250, None))}
    Dataset(parts).save(folder / "d.safetensors")
    spec = JobSpec.model_validate(
        {
            "data": {"train": "d", "target": "label", **fields},
            "layers": [{"type": "dense", "units": 8}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dropout"}],
            "training": {"epochs": 2, "batch_size": 7, "early_stopping": {"patience": 1}},
            "checks": {"gradients": []},
        }
    )
    datasets = {"d": Dataset.load(folder / "d.safetensors")}
    data = prepare(spec.data, datasets, dtype=spec.precision, memory_bytes=memory)
    return spec, Network.of(spec, data.preprocessor), data


AUGMENTED = {"augment": [{"type": "shift"}, {"type": "rotate"}, {"type": "mixup"}]}


@pytest.mark.parametrize("fields", [{}, AUGMENTED], ids=["plain", "augmented"])
@pytest.mark.parametrize(("memory", "held"), [(None, "memory"), (330 * 45, "rows"), (1, "file")])
def test_however_its_rows_are_held_and_varied(tmp_path: Path, memory: int | None, held: str, fields: Any) -> None:
    spec, network, data = faces(tmp_path, memory, **fields)
    assert data.holding.held == ("rows" if fields and held == "memory" else held)
    whole = list(train(network, spec, data))
    for place in (3, 20, 38, 39):
        parts = resumed(spec, network, data, place, tmp_path / "c.safetensors")
        assert list(told(parts)) == list(told(whole)), place


@given(m=st.integers(2, 330), size=st.integers(1, 50), batches=st.integers(0, 60), epoch=st.integers(1, 9))
def test_what_is_skipped_is_the_beginning_of_the_epoch_and_nothing_else(
    new_folder: Callable[[], Path], m: int, size: int, batches: int, epoch: int
) -> None:
    folder = new_folder()
    Dataset({"all": FACES.take(slice(m))}).save(folder / "d.safetensors")
    table = Dataset.load(folder / "d.safetensors").training.select(["x"])
    _, _, data = faces(folder, None)
    inputs = engine.inputs.RawRows(table, data.preprocessor, "float32")
    streams = engine.RandomStreams(3)
    whole = [(np.array(b.rows), np.array(b.X)) for b in inputs.batches(size, epoch=epoch, streams=streams)]
    rest = inputs.batches(size, epoch=epoch, streams=streams, skip=min(m, batches * size))
    found = [(np.array(b.rows), np.array(b.X)) for b in rest]
    assert len(found) == max(0, len(whole) - batches)
    for (rows, X), (same, equal) in zip(found, whole[batches:], strict=True):
        np.testing.assert_array_equal(rows, same)
        np.testing.assert_array_equal(X, equal)


def test_windows_of_a_file_that_are_skipped_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, data = faces(tmp_path, 1)
    inputs = engine.inputs.RawRows(data.tables["train"], data.preprocessor, "float32")
    read: list[int] = []
    fill = engine.inputs.Window.fill

    def counted(window: Any, runs: Any) -> Iterator[None]:
        read.append(len(runs))
        return fill(window, runs)

    monkeypatch.setattr(engine.inputs.Window, "fill", counted)
    counts = []
    for skip in (0, 245):
        read.clear()
        list(inputs.batches(7, epoch=1, streams=engine.RandomStreams(0), skip=skip))
        counts.append(len(read))
    assert counts[0] > 1 and counts[1] == 1


class TestChanges:
    """New hyper-parameters while the network trains."""

    SPEC = spec_of(
        layers=[{"type": "dense", "units": 6}, {"type": "relu"}, {"type": "dropout", "keep_prob": 0.9}],
        optimizer={"type": "adam", "learning_rate": 1e-4},
        schedule={"type": "cosine", "per": "step"},
        training={"epochs": 4, "batch_size": 16, "keep": "last"},
    )

    def changed(self, **patch: Mapping[str, object]) -> JobSpec:
        document = self.SPEC.model_dump(mode="json")
        for section, fields in patch.items():
            document[section] = document[section] | fields if isinstance(fields, dict) else fields
        return JobSpec.model_validate(document)

    def test_take_effect_at_the_next_epochs_start_or_the_one_that_is_named(self) -> None:
        network, data = prepared(self.SPEC, toy())
        faster = self.changed(optimizer={"learning_rate": 0.05}, training={"epochs": 6, "batch_size": 10})
        for named, first in ((None, 2), (1, 2), (3, 3)):
            run = train(network, self.SPEC, data)
            events: list[Event] = []
            answer = None
            for event in iter(lambda: run.send(answer), None):  # noqa: B023 - the last answer is the one to send
                events.append(event)
                in_first = isinstance(event, Progressed) and event.epoch == 1 and event.step == 2
                answer = Change(1, faster, named) if in_first else None
                if isinstance(event, Finished):
                    break
            change = next(event for event in events if isinstance(event, Changed))
            assert (change.epoch, change.revision) == (first, 1)
            assert change.fields == {
                "/optimizer/learning_rate": (1e-4, 0.05),
                "/training/epochs": (4, 6),
                "/training/batch_size": (16, 10),
            }
            rows = rows_of(events)
            steps = [4 if epoch < first else 6 for epoch in range(1, 7)]
            assert [row["step"] for row in rows] == list(np.cumsum(steps))
            assert rows[first - 1]["learning_rate"] > 1e-4 >= rows[first - 2]["learning_rate"]
            assert rows[-1]["learning_rate"] < 1e-3  # a cosine ends where the run, as long as it has become, ends

    def test_of_the_penalty_and_of_dropout_change_the_network(self) -> None:
        """The same as if the run had begun so, with the same steps before: none."""
        network, data = prepared(self.SPEC, toy())
        layers = [*self.SPEC.model_dump(mode="json")["layers"][:2], {"type": "dropout", "keep_prob": 0.5}]
        other = self.changed(regularization={"l2": 3.0}, layers=layers, training={"clip_norm": 0.1})
        changed = list(train(network, self.SPEC, data, changes=[Change(1, other)]))
        network, data = prepared(other, toy())
        begun = list(train(network, other, data))
        assert finished(changed).model.weights_sha256 == finished(begun).model.weights_sha256
        assert finished(changed).model.spec == finished(begun).model.spec

    @pytest.mark.parametrize("place", range(0, 30, 3))
    def test_are_part_of_a_checkpoint_and_come_again_if_it_is_older(self, tmp_path: Path, place: int) -> None:
        network, data = prepared(self.SPEC, toy())
        history = [
            Change(1, self.changed(optimizer={"learning_rate": 0.01}, training={"batch_size": 9}), 2),
            Change(2, self.changed(optimizer={"learning_rate": 0.02}, training={"epochs": 5}), 4),
        ]
        whole = list(train(network, self.SPEC, data, changes=history))
        parts = resumed(self.SPEC, network, data, place, tmp_path / "c.safetensors", changes=history)
        assert list(told(parts)) == list(told(whole))

    def test_that_do_not_fit_are_refused_and_the_run_goes_on(self) -> None:
        spec = spec_of(layers=[{"type": "dense", "units": 4}, {"type": "batch_norm"}], training={"epochs": 2})
        network, data = prepared(spec, toy())
        document = spec.model_dump(mode="json")
        alone = JobSpec.model_validate(document | {"training": document["training"] | {"batch_size": 59}})
        wider = JobSpec.model_validate(document | {"layers": [{"type": "dense", "units": 5}, {"type": "batch_norm"}]})
        events = list(train(network, spec, data, changes=[Change(1, alone), Change(2, wider)]))
        refused = [event for event in events if isinstance(event, ChangeRefused)]
        assert [(one.revision, one.pointer) for one in refused] == [(1, "/training/batch_size"), (2, "/layers/0/units")]
        assert finished(events).model.weights_sha256 == finished(events_of(spec)).model.weights_sha256

    def test_of_anything_else_name_the_field(self) -> None:
        for patch, pointer in (({"seed": 1}, "/seed"), ({"precision": "float64"}, "/precision")):
            with pytest.raises(SpecError) as refused:
                changes(self.SPEC, self.SPEC.model_copy(update=patch))
            assert refused.value.pointer == pointer


class TestWhatIsRefused:
    """A checkpoint of another run."""

    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Checkpoint:
        network, data = prepared(spec_of(), toy())
        _, made = cut(train(network, spec_of(), data), 3, tmp_path / "c.safetensors")
        assert made is not None
        return made

    @pytest.mark.parametrize(
        "fields", [{"seed": 1}, {"layers": []}, {"optimizer": {"type": "momentum"}}, {"precision": "float64"}]
    )
    def test_of_another_spec(self, checkpoint: Checkpoint, fields: dict[str, object]) -> None:
        network, data = prepared(spec_of(**fields), toy())
        with pytest.raises(CheckpointMismatch):
            next(train(network, spec_of(**fields), data, resume_from=checkpoint))

    def test_of_other_data(self, checkpoint: Checkpoint) -> None:
        network, data = prepared(spec_of(), toy(m=61))
        with pytest.raises(CheckpointMismatch, match="60 training examples, these are 61"):
            next(train(network, spec_of(), data, resume_from=checkpoint))

    def test_a_model_is_no_checkpoint_and_the_other_way_round(self, tmp_path: Path, checkpoint: Checkpoint) -> None:
        finished(events_of(spec_of(training={"epochs": 1}))).model.save(tmp_path / "m.safetensors")
        with pytest.raises(DataError, match="no checkpoint"):
            Checkpoint.load(tmp_path / "m.safetensors")
        with pytest.raises(DataError, match="not a model that was saved here"):
            load(tmp_path / "c.safetensors")
