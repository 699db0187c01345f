"""The examples of one set, and how a batch of them gets into a workspace."""

from collections.abc import Iterator
from copy import copy

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.preparation import PreparedData
from engine.data.reading.label_places import label_places
from engine.errors import SpecError
from engine.inputs import Batch, Inputs, Matrix, RawRows, Rows
from engine.losses import Loss
from engine.network import Network, Target, Workspace
from engine.parameters import Array
from engine.random_streams import RandomStreams
from engine.variation import Variation


class Examples:
    """Inputs (m × n_in) and targets y: class indices (m,), or values (m × k)."""

    def __init__(
        self, network: Network, inputs: Inputs, y: NDArray[np.generic], weights: Array | None, dtype: DTypeLike
    ) -> None:
        self.inputs, self.n_in = inputs, network.n_in
        self.dtype = np.dtype(dtype)
        self.by_class = network.target.kind == "classes"
        self.y = y.astype(np.intp if self.by_class else dtype)
        self.targets = self.y if self.by_class else network.loss.soften(self.y)
        self.table: Array | None = None
        if self.by_class and (table := network.loss.targets(network.target.outputs)) is not None:
            self.table = table.astype(dtype)
        self.weights = None if weights is None else weights.astype(dtype)

    def __len__(self) -> int:
        return len(self.inputs)

    def picked(self, rows: Rows, dtype: DTypeLike) -> "Examples":
        """A copy of some rows, in another precision."""
        chosen = copy(self)
        x = self.inputs.load(rows, np.empty((len(rows), self.n_in), self.dtype))
        chosen.inputs, chosen.dtype = Matrix(x, dtype), np.dtype(dtype)
        chosen.y = self.y[rows] if self.by_class else self.y[rows].astype(dtype)
        chosen.targets = self.targets[rows] if self.by_class else self.targets[rows].astype(dtype)
        chosen.table = None if self.table is None else self.table.astype(dtype)
        chosen.weights = None if self.weights is None else self.weights.astype(dtype)
        return chosen

    def batches(
        self, size: int, *, epoch: int | None = None, streams: RandomStreams | None = None, skip: int = 0
    ) -> Iterator[Batch]:
        """All rows but the first `skip`, a batch at a time: in their order, or with streams in that of the epoch."""
        return self.inputs.batches(size, epoch=epoch, streams=streams, skip=skip)

    def portions(
        self, size: int, *, epoch: int | None = None, streams: RandomStreams | None = None, skip: int = 0
    ) -> Iterator[Batch]:
        """The same, many batches at a time."""
        return self.inputs.portions(size, epoch=epoch, streams=streams, skip=skip)

    def load(self, rows: Rows | slice, workspace: Workspace, X: Array | None = None) -> Array:
        """Put the targets of some rows into the workspace as Y and w; returns their inputs X, perhaps made already.

        A slice may give a view, so a full batch in memory is never copied; an index array gathers into workspace.X.
        """
        if X is None:
            X = self.inputs.load(rows, workspace.X)
        if isinstance(rows, slice):
            targets = self.targets[rows]
        else:
            out = workspace.labels if self.by_class else workspace.Y
            targets = np.take(self.targets, rows, axis=0, out=out, mode="clip")
        if self.table is None:
            if targets is not workspace.Y:
                np.copyto(workspace.Y, targets)
        else:
            if targets is not workspace.labels:
                np.copyto(workspace.labels, targets)
            np.take(self.table, workspace.labels, axis=0, out=workspace.Y, mode="clip")
            if self.weights is not None and workspace.w is not None:
                np.take(self.weights, workspace.labels, axis=0, out=workspace.w, mode="clip")
        return X

    def correct(self, Z: Array, workspace: Workspace) -> int:
        """How many of the loaded examples the logits Z classify rightly (hardmax: the largest logit wins)."""
        if Z.shape[1] == 1:
            np.greater(Z[:, 0], 0, out=workspace.correct)
            np.copyto(workspace.predicted, workspace.correct)
        else:
            np.argmax(Z, axis=1, out=workspace.predicted)
        np.equal(workspace.predicted, workspace.labels, out=workspace.correct)
        return int(np.count_nonzero(workspace.correct))


def examples_of(
    part: str, network: Network, data: PreparedData, dtype: DTypeLike, varied: Variation | None = None
) -> Examples:
    """The examples of one part of the data; classes weigh what the training targets say, whatever the part."""
    weights = class_weights(network.loss, network.target, data.y["train"])
    raw = data.tables.get(part)
    inputs = Matrix(data.x[part], dtype) if raw is None else RawRows(raw, data.preprocessor, dtype, varied)
    return Examples(network, inputs, data.y[part], weights, dtype)


def class_weights(loss: Loss, target: Target, y: NDArray[np.generic]) -> NDArray[np.float64] | None:
    """The weight of each class (C × 1), `balanced` being m/(C·m_c) over the training targets y.

    Raises SpecError for weights of classes that do not exist, or of a target that has no classes.
    """
    wanted = getattr(loss, "class_weights", None)
    if wanted is None:
        return None
    if target.kind != "classes":
        raise SpecError("/loss/class_weights", f"class weights need a target of classes, this one is {target.kind}")
    if wanted == "balanced":
        counts = np.bincount(y.astype(np.intp), minlength=target.outputs)
        return (len(y) / (target.outputs * np.maximum(counts, 1)))[:, None]
    weights, told = np.ones((target.outputs, 1)), dict[int, str]()
    for label, weight in wanted.items():
        place = label_places(tuple(target.labels)).place(label)
        if place < 0:
            raise SpecError(
                "/loss/class_weights", f"there is no class {label!r}; the classes are {', '.join(target.labels)}"
            )
        if place in told:
            raise SpecError(
                "/loss/class_weights",
                f"{told[place]!r} and {label!r} are the same class {target.labels[place]!r}; weigh it once",
            )
        told[place], weights[place] = label, weight
    return weights
