"""What a training run tells whoever iterates over it, and what they may answer."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from engine.gradient_check import GradientReport
from engine.layer_statistics import LayerStatistics

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint
    from engine.model import Model
    from engine.spec import JobSpec

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
    device: str = "cpu"  # or the name of the GPU
    because: str | None = None  # why it is the CPU, where a GPU could have been taken


@dataclass(frozen=True)
class DataHeld(Event):
    """Where the examples are while the network trains."""

    type: ClassVar[str] = "data_held"
    held: str  # memory: as floats; rows: as raw rows in memory; file: as raw rows in the dataset's file
    bytes: int  # of all their inputs, as they are held
    rows: int
    order: str  # of the training rows: shuffled, blockwise (rows of a window of random blocks) or as_stored


@dataclass(frozen=True)
class Resumed(Event):
    """The run goes on from a checkpoint, in the place of `Started`."""

    type: ClassVar[str] = "resumed"
    epoch: int  # epochs that are over
    step: int  # mini-batches so far
    examples: int  # of the next epoch, seen already
    revision: int


@dataclass(frozen=True)
class MatchedNames:
    """Names that a run shares with its source, those that are new, and those that only the source has."""

    matched: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)  # of each, where not all are listed


@dataclass(frozen=True)
class Transferred(Event):
    """The run starts from parameters of another one, its source; what has no counterpart there was drawn anew."""

    type: ClassVar[str] = "transferred"
    taken: tuple[str, ...]  # tensors
    partly: tuple[str, ...]  # of which some inputs or outputs were drawn
    drawn: tuple[str, ...]
    unused: tuple[str, ...]  # of the source's
    features: MatchedNames
    labels: dict[str, MatchedNames]  # of categories that differ from the source's
    classes: MatchedNames  # or the target's values
    scales: tuple[str, ...]  # features that keep the statistics of the source
    message: str


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    epoch: int  # epochs that are over
    epochs: int
    step: int
    steps: int  # in all, if nothing stops the run early
    examples: int  # seen so far, over all epochs
    fraction: float
    epochs_since_best: int | None  # None without early stopping
    patience: int | None


@dataclass(frozen=True)
class Progressed(Event):
    """Time has passed inside an epoch: a chance to renew a lease and to stop."""

    type: ClassVar[str] = "progressed"
    epoch: int
    step: int
    progress: Progress


@dataclass(frozen=True)
class EpochEnded(Event):
    """One row of metrics."""

    type: ClassVar[str] = "epoch_ended"
    row: dict[str, float | int | None]
    progress: Progress


@dataclass(frozen=True)
class CheckpointMade(Event):
    """The answer to Save. The checkpoint's arrays are the run's own: save it before asking for the next event."""

    type: ClassVar[str] = "checkpoint_made"
    checkpoint: "Checkpoint"

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "epoch": self.checkpoint.epoch, "step": self.checkpoint.step}


@dataclass(frozen=True)
class Changed(Event):
    """A change is about to take effect; the checkpoint is of the moment before it, as with CheckpointMade."""

    type: ClassVar[str] = "changed"
    epoch: int  # the first with the new hyper-parameters
    revision: int
    fields: dict[str, tuple[object, object]]  # by JSON pointer: before and after
    checkpoint: "Checkpoint"

    def to_json(self) -> dict[str, object]:
        return {"type": self.type, "epoch": self.epoch, "revision": self.revision, "fields": dict(self.fields)}


@dataclass(frozen=True)
class ChangeRefused(Event):
    """A change does not fit this network and these data; the run goes on as it was."""

    type: ClassVar[str] = "change_refused"
    epoch: int
    revision: int
    pointer: str
    detail: str


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
    count: int | None = None
    examples: tuple[str, ...] = ()
    settle: dict[str, object] | None = None


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


@dataclass(frozen=True)
class Save:
    """The answer to an event that asks for a checkpoint: CheckpointMade follows after the next batch, or epoch."""


@dataclass(frozen=True)
class Change:
    """The answer to an event that gives the run new hyper-parameters from the start of an epoch on.

    It is the next epoch, or the one named if that is later. The step count goes on through a change of the batch
    size, and with it a schedule counted in steps; only the run's length in steps is reckoned anew.
    """

    revision: int
    spec: "JobSpec"  # the whole of it, as it should be from then on
    epoch: int | None = None


Control: TypeAlias = Stop | Save | Change
