"""What a training run tells whoever iterates over it, and what they may answer."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from engine.gradient_check import GradientReport
from engine.layer_statistics import LayerStatistics

if TYPE_CHECKING:
    from engine.model import Model

Scalar: TypeAlias = float | int | str | None


@dataclass(frozen=True)
class Event:
    """Something that happened in a run."""

    type: ClassVar[str]

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, **asdict(self)}


@dataclass(frozen=True)
class Started(Event):
    """The network is built and its parameters are drawn."""

    type: ClassVar[str] = "started"
    parameters: int
    sizes: dict[str, int]  # examples in train, dev, test
    steps_per_epoch: int
    epochs: int


@dataclass(frozen=True)
class DataHeld(Event):
    """Where the examples are while the network trains."""

    type: ClassVar[str] = "data_held"
    held: str  # memory: as floats; rows: as raw rows in memory; file: as raw rows in the dataset's file
    bytes: int  # of all their inputs, as they are held
    rows: int
    order: str  # of the training rows: shuffled, blockwise (rows of a window of random blocks) or as_stored


@dataclass(frozen=True)
class Progressed(Event):
    """Time has passed inside an epoch: a chance to renew a lease and to stop."""

    type: ClassVar[str] = "progressed"
    epoch: int
    step: int


@dataclass(frozen=True)
class EpochEnded(Event):
    """One row of metrics."""

    type: ClassVar[str] = "epoch_ended"
    row: dict[str, float | int | None]


@dataclass(frozen=True)
class GradientsChecked(Event):
    """Backpropagation was compared with finite differences."""

    type: ClassVar[str] = "gradients_checked"
    report: GradientReport

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "report": self.report.model_dump(mode="json")}


@dataclass(frozen=True)
class LayersMeasured(Event):
    """How each layer did in the last batch of an epoch."""

    type: ClassVar[str] = "layers_measured"
    epoch: int
    layers: list[LayerStatistics]


@dataclass(frozen=True)
class Warned(Event):
    """Something looks ill; the run goes on."""

    type: ClassVar[str] = "warned"
    code: str
    message: str
    epoch: int | None = None


@dataclass(frozen=True)
class SplitAdvised(Event):
    """How the rows are divided, and how it is advised for so many of them."""

    type: ClassVar[str] = "split_advised"
    rows: dict[str, int]
    advised: dict[str, float]
    used: dict[str, float]
    followed: bool
    reason: str


@dataclass(frozen=True)
class DataChecked(Event):
    """Something about the data that a person should know before trusting the model."""

    type: ClassVar[str] = "data_check"
    check: str
    severity: str  # info, warning or serious
    message: str
    advice: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Finished(Event):
    """The run is over; the last event."""

    type: ClassVar[str] = "finished"
    model: "Model"
    result: dict[str, object]
    stop_reason: str

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "result": self.result, "stop_reason": self.stop_reason}


@dataclass(frozen=True)
class Stop:
    """The answer to an event that ends the run early and keeps its model."""

    reason: str
