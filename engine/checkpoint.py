"""A run at one moment, complete: what is resumed from it ends with the same bits as if it had never stopped.

There is no generator state in it. Every random number of a run is a function of the seed, its purpose and the
moment (epoch, step, row) at which it is needed, so the position says all.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias

from engine.data.encoding.preprocessor import Preprocessor
from engine.data.storage.tensor_file import map_tensors, write_tensors
from engine.errors import CheckpointMismatch, DataError
from engine.parameters import Array
from engine.spec import JobSpec

FORMAT = 2
KEY = "checkpoint"
Tensors: TypeAlias = Mapping[str, Array]


@dataclass
class Tally:
    """Sums over the examples that the current epoch has seen: the epoch's row in the making, and its position."""

    examples: int = 0
    cost: float = 0.0
    loss: float = 0.0
    correct: float = 0.0
    seconds: float = 0.0


@dataclass
class Judgment:
    """What the dev set has said so far."""

    best_value: float | None = None
    best_epoch: int = 0
    reference: float | None = None  # the value that early stopping wants to see beaten by min_delta
    stale: int = 0  # epochs since it was


@dataclass
class Span:
    """Where the step count stood when the length of an epoch last changed: at the start, or with the batch size."""

    epochs: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """θ, running averages, slots, the best parameters, the position, the judgment, the symptoms seen so far.

    The arrays are those of the run itself: save it, or copy them, before the run goes on.
    """

    spec: JobSpec  # as it is in effect, changes included
    revision: int  # of the hyper-parameters; 0: as submitted
    epoch: int  # epochs that are over
    step: int  # mini-batches so far, the t of the optimizer
    m: int  # training examples
    order: str  # in which they come: shuffled, blockwise or as_stored
    parameters: Tensors  # W1 b1 …, and the running averages
    slots: Tensors  # the optimizer's, each as long as θ
    preprocessor: Preprocessor  # what was learned about the data, for whoever goes on from here with others
    best: Tensors | None = None  # where the best on dev is to be kept
    tally: Tally = field(default_factory=Tally)
    judgment: Judgment = field(default_factory=Judgment)
    span: Span = field(default_factory=Span)
    watch: Mapping[str, Any] = field(default_factory=dict)  # the symptom watch's memory

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; the same checkpoint gives the same bytes, but for the seconds in it."""
        tensors = {f"parameters/{name}": array for name, array in self.parameters.items()}
        tensors |= {f"slots/{letter}": array for letter, array in self.slots.items()}
        tensors |= {f"best/{name}": array for name, array in (self.best or {}).items()}
        tensors |= {f"preprocessor/{name}": array for name, array in self.preprocessor.arrays().items()}
        description = {
            "format": FORMAT,
            "spec": self.spec.model_dump(mode="json"),
            "revision": self.revision,
            "epoch": self.epoch,
            "step": self.step,
            "m": self.m,
            "order": self.order,
            "tally": asdict(self.tally),
            "judgment": asdict(self.judgment),
            "span": asdict(self.span),
            "watch": dict(self.watch),
            "preprocessor": self.preprocessor.to_json(),
        }
        write_tensors(Path(path), tensors, {KEY: json.dumps(description, sort_keys=True)})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, as views of the mapped file; nothing is unpickled.

        Raises DataError for a file that is no checkpoint of this format.
        """
        path = Path(path)
        try:
            tensors, metadata = map_tensors(path)
            stored = json.loads(metadata[KEY])
            kind = stored["format"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path.name} is no checkpoint") from error
        if kind != FORMAT:
            raise DataError(f"{path.name} has format {kind}, this version reads {FORMAT}")
        groups: dict[str, dict[str, Any]] = {"parameters": {}, "slots": {}, "best": {}, "preprocessor": {}}
        for name, array in tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = array
        return cls(
            spec=JobSpec.model_validate(stored["spec"]),
            revision=stored["revision"],
            epoch=stored["epoch"],
            step=stored["step"],
            m=stored["m"],
            order=stored["order"],
            parameters=groups["parameters"],
            slots=groups["slots"],
            preprocessor=Preprocessor.from_json(stored["preprocessor"], groups["preprocessor"]),
            best=groups["best"] or None,
            tally=Tally(**stored["tally"]),
            judgment=Judgment(**stored["judgment"]),
            span=Span(**stored["span"]),
            watch=stored["watch"],
        )

    def refuse_unless_of(self, m: int, order: str, slots: tuple[str, ...]) -> None:
        """Raise CheckpointMismatch unless a run of so many examples in such an order may go on from here."""
        if m != self.m:
            raise CheckpointMismatch(f"the checkpoint is of a run on {self.m} training examples, these are {m}")
        if order != self.order and self.tally.examples:
            raise CheckpointMismatch(
                f"the checkpoint lies within an epoch whose examples came {self.order}; here they would come {order}"
            )
        if set(slots) != set(self.slots):
            raise CheckpointMismatch(
                f"the checkpoint holds the slots {', '.join(self.slots) or 'of no optimizer'}, "
                f"this optimizer has {', '.join(slots) or 'none'}"
            )
