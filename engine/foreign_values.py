"""How a value on another library's scale is written here; None where it is none that can be."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from engine.foreign_terms import Conversion, look_up
from engine.spec import TrainingSpec


class Said(NamedTuple):
    """A field as it was written: the spec, the object it stands in, its name."""

    document: object
    owner: dict[str, JsonValue]
    name: str

    @property
    def written(self) -> JsonValue:
        return self.owner.get(self.name)

    @property
    def number(self) -> float | None:
        """The value, if it is a number."""
        return self.written if isinstance(self.written, int | float) and not isinstance(self.written, bool) else None

    @property
    def share(self) -> float | None:
        """The value, if it is a share between nothing and all."""
        return self.number if self.number is not None and 0 < self.number < 1 else None


def one_minus(said: Said) -> JsonValue:
    """What is kept, for what is dropped."""
    return None if said.number is None or not 0 <= said.number < 1 else _rounded(1 - said.number)


def inverse(said: Said) -> JsonValue:
    """The weight of a penalty, for that of the errors beside it."""
    return _rounded(1 / said.number) if said.number else None


def times_batch(said: Said) -> JsonValue:
    """l2, for a factor of W that is not divided by the examples of the batch."""
    training = said.document.get("training") if isinstance(said.document, dict) else None
    written = training.get("batch_size") if isinstance(training, dict) else None
    batch = TrainingSpec().batch_size if written is None else written
    return _rounded(said.number * batch) if said.number is not None and isinstance(batch, int) else None


def dev_share(said: Said) -> JsonValue:
    """Shares of train, dev and test, for that of dev."""
    return None if said.share is None else [_rounded(1 - said.share), said.share, 0]


def test_share(said: Said) -> JsonValue:
    """Shares of train, dev and test, for that of test."""
    return None if said.share is None else [_rounded(1 - said.share), 0, said.share]


def train_share(said: Said) -> JsonValue:
    """Shares of train, dev and test, for that of train."""
    rest = None if said.share is None else _rounded((1 - said.share) / 2)
    return None if rest is None else [said.share, rest, rest]


def best_or_last(said: Said) -> JsonValue:
    """Which model is kept, for whether it is the best."""
    return ("best" if said.written else "last") if isinstance(said.written, bool) else None


def gpu_or_cpu(said: Said) -> JsonValue:
    """The device, for whether it is a GPU."""
    return ("gpu" if said.written else "cpu") if isinstance(said.written, bool | int) else said.written


def at_start(said: Said) -> JsonValue:
    """The moments, for whether gradients are checked."""
    return (["start"] if said.written else []) if isinstance(said.written, bool) else said.written


def behind(said: Said) -> JsonValue:
    """The layer, for an activation that is said within another one."""
    word = said.written if isinstance(said.written, str) else ""
    term = look_up("/layers/*/type", word)
    if term is not None:
        return {"type": term.ours} if term.ours else None
    return {"type": word} if word else None


CONVERSIONS: Mapping[Conversion, Callable[[Said], JsonValue]] = {
    "one minus": one_minus,
    "inverse": inverse,
    "times batch": times_batch,
    "dev share": dev_share,
    "test share": test_share,
    "train share": train_share,
    "best or last": best_or_last,
    "gpu or cpu": gpu_or_cpu,
    "at start": at_start,
    "behind": behind,
}


def _rounded(value: float) -> float:
    """Without the ulp that 1 − 0.9 is off."""
    return round(value, 12)
