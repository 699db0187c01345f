"""A whole run on a device tells what a run on the CPU tells, and either goes on where the other was cut."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

import engine.devices
import engine.gpu.feed
import engine.inputs
import engine.training
from engine import (
    Change,
    Changed,
    Checkpoint,
    CheckpointMade,
    Dataset,
    Diverged,
    EpochEnded,
    Event,
    Finished,
    JobSpec,
    LayersMeasured,
    Network,
    Placement,
    Save,
    SpecError,
    Started,
    prepare,
    train,
)
from engine.data.storage import stored
from engine.devices import CPU, placed
from engine.errors import DeviceUnavailable, OutOfMemory
from engine.gpu.device import Device, Processor
from tests.engine.gpu.places import Make, everywhere
from tests.engine.jobs import prepared, rows_of, spec_of, toy
from tests.engine.test_augmented_training import IMAGES
from tests.engine.test_newcomer import spec_with

LAYERS = [{"type": "dense", "units": 9}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dropout"}]
TRAINING = {"epochs": 6, "batch_size": 16}
DEEP: Mapping[str, object] = {"layers": LAYERS, "training": TRAINING, "precision": "float64"}


def events_on(device: Device | None, spec: JobSpec, dataset: Dataset | None = None, **how: object) -> list[Event]:
    network, data = prepared(spec, dataset or toy("three classes"))
    return list(train(network, spec, data, placement=Placement(device), **how))  # type: ignore[arg-type]


def assert_alike(there: list[Event], here: list[Event], rtol: float = 1e-7) -> None:
    """Rows, measurements, results and weights."""
    for mine, other in zip(rows_of(there), rows_of(here), strict=True):
        assert {k: v for k, v in mine.items() if k != "seconds"} == pytest.approx(
            {k: v for k, v in other.items() if k != "seconds"}, rtol, 1e-9
        )
    measured = [[event for event in events if isinstance(event, LayersMeasured)] for events in (there, here)]
    assert len(measured[0]) == len(measured[1])
    for mine, other in zip(*measured, strict=True):
        for a, b in zip(mine.layers, other.layers, strict=True):
            assert known(a.to_json()) == pytest.approx(known(b.to_json()), rtol, 1e-9)
    last, wanted = there[-1], here[-1]
    assert isinstance(last, Finished) and isinstance(wanted, Finished)
    for part in ("train", "dev", "test"):
        for name, value in wanted.result.get(part, {}).items():  # type: ignore[attr-defined]
            if isinstance(value, float | int):
                assert last.result[part][name] == pytest.approx(value, rtol, 1e-9)  # type: ignore[index]
    np.testing.assert_allclose(last.model.parameters.theta, wanted.model.parameters.theta, rtol, 1e-9)


def known(statistics: Mapping[str, object]) -> dict[str, object]:
    """Those that the layer has."""
    return {name: value for name, value in statistics.items() if value is not None}


@everywhere
@pytest.mark.parametrize("kind", ["two classes", "three classes", "labels", "values"])
def test_a_run_says_what_it_says_on_the_cpu(make: Make, kind: str) -> None:
    checks = ["start", 3, "end"] if kind == "values" else []
    spec = spec_of(**DEEP | {"checks": {"gradients": checks}})
    assert_alike(events_on(make(), spec, toy(kind)), events_on(None, spec, toy(kind)))


@everywhere
def test_the_first_event_says_which_device_it_is(make: Make) -> None:
    device = make()
    started = events_on(device, spec_of())[0]
    assert isinstance(started, Started) and (started.device, started.because) == (device.name, None)
    started = events_on(None, spec_of())[0]
    assert isinstance(started, Started) and (started.device, started.because) == ("cpu", None)


@everywhere
@pytest.mark.parametrize("place", [0, 3, 9, 20])
@pytest.mark.parametrize("back", [False, True], ids=["to the device", "to the cpu"])
def test_a_run_that_was_cut_goes_on_elsewhere(
    make: Make, place: int, back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.training, "TICK_SECONDS", -1.0)  # every batch is told of
    spec = spec_of(**DEEP)
    network, data = prepared(spec, toy("three classes"))
    first, second = (make(), None) if back else (None, make())
    events = train(network, spec, data, placement=Placement(first))
    for _ in range(place + 1):
        next(events)
    made: Event = events.send(Save())
    while not isinstance(made, CheckpointMade):
        made = next(events)
    kept = copied(made.checkpoint)
    events.close()
    rest = list(train(network, spec, data, resume_from=kept, placement=Placement(second)))
    whole = events_on(None, spec)
    assert isinstance(rest[-1], Finished) and isinstance(whole[-1], Finished)
    np.testing.assert_allclose(rest[-1].model.parameters.theta, whole[-1].model.parameters.theta, 1e-7, 1e-10)
    assert rows_of(rest)[-1]["train_cost"] == pytest.approx(rows_of(whole)[-1]["train_cost"])


def copied(checkpoint: Checkpoint) -> Checkpoint:
    """What a file would hold: arrays that the run goes on without."""
    parameters = {name: array.copy() for name, array in checkpoint.parameters.items()}
    best = {name: array.copy() for name, array in (checkpoint.best or {}).items()} or None
    slots = {name: array.copy() for name, array in checkpoint.slots.items()}
    return replace(checkpoint, parameters=parameters, best=best, slots=slots)


@everywhere
def test_new_hyper_parameters_take_effect_with_the_slots_of_before(make: Make) -> None:
    spec = spec_of(**DEEP)
    after = spec.model_copy(update={"optimizer": spec.optimizer.model_copy(update={"learning_rate": 0.05})})
    here, there = (events_on(device, spec, changes=[Change(1, after, epoch=3)]) for device in (None, make()))
    assert [event.epoch for event in there if isinstance(event, Changed)] == [3]
    assert_alike(there, here)


@everywhere
def test_inputs_that_do_not_fit_go_over_in_portions(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.gpu.descent, "fits", lambda *_: False)
    monkeypatch.setattr(engine.gpu.feed, "STAGED_BYTES", 32 * 4 * 8)  # two batches of 16
    for training in (TRAINING, TRAINING | {"batch_size": "full"}, TRAINING | {"shuffle": False}):
        spec = spec_of(**DEEP | {"training": training})
        assert_alike(events_on(make(), spec), events_on(None, spec))


@everywhere
@pytest.mark.parametrize(
    "augment", [[{"type": "noise"}], [{"type": "noise"}, {"type": "mixup"}]], ids=["noise", "mixup"]
)
@pytest.mark.parametrize("weights", [None, "balanced"])
def test_varied_rows_go_over_as_the_cpu_has_made_them(make: Make, augment: object, weights: str | None) -> None:
    loss = {"type": "softmax_cross_entropy", "class_weights": weights}
    data = {"train": "toy", "target": "label", "split": {"type": "given"}, "augment": augment}
    spec = spec_of(**DEEP | {"data": data, "loss": loss})
    assert_alike(events_on(make(), spec, IMAGES), events_on(None, spec, IMAGES))


@everywhere
def test_rows_of_a_file_go_over_as_they_are_read(make: Make, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "SMALL", 0)
    path = tmp_path / "toy"  # type: ignore[operator]
    toy("three classes").save(path)
    spec = spec_of(**DEEP)
    data = prepare(spec.data, {"toy": Dataset.load(path)}, dtype=spec.precision, memory_bytes=0)
    assert data.holding.held == "file"
    network = Network.of(spec, data.preprocessor)
    here, there = (list(train(network, spec, data, placement=Placement(device))) for device in (None, make()))
    assert_alike(there, here)


@everywhere
def test_a_run_diverges_at_the_same_step(make: Make) -> None:
    spec = spec_of(optimizer={"type": "gradient_descent", "learning_rate": 10.0}, training=TRAINING | {"epochs": 500})
    errors = []
    for device in (None, make()):
        with pytest.raises(Diverged) as error:
            events_on(device, spec, toy("value"))
        errors.append((error.value.epoch, error.value.step))
    assert errors[0] == errors[1]


def test_a_step_takes_no_memory() -> None:
    spec, device = spec_of(**DEEP), Processor()
    network, data = prepared(spec, toy("three classes"))
    events = train(network, spec, data, placement=Placement(device))
    wanted = [device.wanted for event in events if isinstance(event, EpochEnded)]
    assert len(wanted) == 6 and len(set(wanted)) == 1


def test_a_run_that_does_not_fit_says_what_it_needs_and_what_there_was() -> None:
    spec = spec_of(layers=[{"type": "dense", "units": 600}, {"type": "dense", "units": 600}])
    with pytest.raises(OutOfMemory, match=r"needs at least \d+ MiB of the memory of processor, of which 4 MiB were"):
        events_on(Processor(4 << 20), spec)


def test_without_cupy_auto_takes_the_cpu_and_gpu_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.devices, "installed", lambda: False)
    network, data = prepared(spec_of(), toy())
    assert placed(network, spec_of()) == placed(network, spec_of(device="cpu")) == CPU
    with pytest.raises(DeviceUnavailable, match="CuPy is not installed"):
        next(train(network, spec_of(device="gpu"), data))


def test_a_cupy_that_sees_no_gpu_is_why_auto_takes_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Device:
        raise DeviceUnavailable("CuPy sees none")

    monkeypatch.setattr(engine.devices, "installed", lambda: True)
    monkeypatch.setattr(engine.devices, "gpu", none)
    network, data = prepared(spec_of(), toy())
    started = next(train(network, spec_of(), data))
    assert isinstance(started, Started) and (started.device, started.because) == ("cpu", "CuPy sees none")
    with pytest.raises(DeviceUnavailable):
        next(train(network, spec_of(device="gpu"), data))


def test_a_part_without_a_kernel_is_trained_on_the_cpu_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Processor()
    monkeypatch.setattr(engine.devices, "installed", lambda: True)
    monkeypatch.setattr(engine.devices, "gpu", lambda: device)
    network, _ = prepared(spec_of(), toy())
    assert placed(network, spec_of()) == Placement(device)
    newcomer = spec_with(type="adagrad")
    placement = placed(network, newcomer)
    assert placement == Placement(because="the optimizer adagrad cannot be trained on a GPU")
    with pytest.raises(SpecError, match="adagrad cannot be trained on a GPU; choose another") as error:
        placed(network, newcomer.model_copy(update={"device": "gpu"}))
    assert error.value.pointer == "/optimizer/type"
