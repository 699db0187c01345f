"""A weight that has stopped learning does not slow the others down."""

import numpy as np
import pytest

from engine import train
from engine.denormals import LIBRARY, flushed_denormals
from engine.training import Run
from tests.engine.jobs import events_of, finished, prepared, spec_of, toy

DENORMAL = np.full(3, 1e-41, np.float32)
FLUSHES = pytest.mark.skipif(LIBRARY is None, reason="this processor or system is not asked to flush denormals")


@FLUSHES
def test_denormals_are_zero_inside_the_block_and_themselves_outside() -> None:
    half = np.float32(0.5)
    assert (DENORMAL * half > 0).all()
    with flushed_denormals():
        assert not (DENORMAL * half).view(np.uint32).any()
    assert (DENORMAL * half > 0).all()


@FLUSHES
def test_the_block_is_left_as_it_was_entered_after_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), flushed_denormals():
        raise ZeroDivisionError
    assert (DENORMAL * np.float32(0.5) > 0).all()


@FLUSHES
def test_the_averages_of_a_weight_without_a_gradient_end_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs that are always 0 give no gradient; Adam's averages of their weights must not linger below 1e-38."""
    seen: list[Run] = []
    begin = Run.__init__
    monkeypatch.setattr(Run, "__init__", lambda run, *rest, **named: (seen.append(run), begin(run, *rest, **named))[1])
    spec = spec_of(
        layers=[{"type": "dense", "units": 6}, {"type": "relu"}],
        regularization={"l2": 0.0},
        training={"epochs": 1500, "batch_size": "full"},
        optimizer={"type": "adam", "learning_rate": 0.5},  # large enough to kill some of the units
        precision="float32",
    )
    network, data = prepared(spec, toy())
    assert list(train(network, spec, data))
    (run,) = seen
    v = np.abs(run.descent.slots.v)
    assert not ((v > 0) & (v < np.finfo(np.float32).tiny)).any()


def test_flushing_leaves_published_arithmetic_alone() -> None:
    """A float64 job of ordinary size is the same to the last bit with and without it."""
    spec = spec_of(precision="float64", training={"epochs": 3})
    with flushed_denormals():
        inside = finished(events_of(spec)).model.weights_sha256
    assert inside == finished(events_of(spec)).model.weights_sha256
