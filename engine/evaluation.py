"""How good the parameters are on a set: its cost and its metrics, with dropout off and running averages used."""

from collections.abc import Iterable

import numpy as np

from engine.examples import Examples
from engine.layer import Mode, Pass
from engine.metrics import METRICS, by_class
from engine.network import Network, Workspace
from engine.parameters import Array, Parameters

TABLED_CLASSES = 100  # with more of them the confusion matrix is no longer for people
BLOCK = 1024  # examples a pass: large enough for the matrix product, small enough for the cache


class Workspaces:
    """One workspace for each batch size met, made when it is first needed, and kernels for whole sets."""

    def __init__(self, network: Network, dtype: np.dtype[np.floating]) -> None:
        # Numba is slow to load, and only those who train or measure need it.
        from engine.kernels import Answering, can_answer

        self.network, self.dtype = network, dtype
        self._made: dict[int, Workspace] = {}
        self.answering: Answering | None = None
        if can_answer(network, self.dtype):
            self.answering = Answering(network, self.dtype)

    def of(self, m: int) -> Workspace:
        if m not in self._made:
            self._made[m] = self.network.workspace(m, self.dtype)
        return self._made[m]


class Evaluation:
    """The mean loss and the answers of a network on a set of examples.

    The cost leaves out the penalty on the weights, which says nothing about these examples. `logits` are those of the
    output layer, where a device has worked them out already.
    """

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        examples: Examples,
        workspaces: Workspaces,
        logits: Array | None = None,
    ) -> None:
        self.network, self.examples = network, examples
        answers: Array = np.empty((len(examples), network.n_out), parameters.theta.dtype) if logits is None else logits
        if logits is None and workspaces.answering is not None:
            total = workspaces.answering.run(parameters, examples, answers)
        else:
            total = plain_answers(network, parameters, examples, workspaces, answers, known=logits is not None)
        self.cost = total / len(examples)
        self.answers = as_probabilities(network, network.loss.output(answers))

    def metrics(self, names: Iterable[str] | None = None) -> dict[str, float | None]:
        """The task's metrics, or the named ones among them."""
        known = METRICS[self.network.target.kind]
        found = {
            name: known[name](self.examples.y, self.answers)
            for name in (known if names is None else names)
            if name in known
        }
        return {name: value if value is None or np.isfinite(value) else None for name, value in found.items()}

    def report(self) -> dict[str, object]:
        """Cost, every metric, and with up to 100 classes the table by class."""
        report: dict[str, object] = {
            "examples": len(self.examples),
            "cost": finite(self.cost),
            **self.metrics(),
        }
        if self.network.target.kind == "classes" and self.network.target.outputs <= TABLED_CLASSES:
            report |= by_class(self.network.target.labels, self.examples.y, self.answers)
        return report


def plain_answers(
    network: Network,
    parameters: Parameters,
    examples: Examples,
    workspaces: Workspaces,
    logits: Array,
    *,
    known: bool = False,
) -> float:
    """Overwrite `logits` (m × k) with what the network says to all examples, by the formulas; Σ of their losses.

    Where they are `known` there is nothing left but their losses.
    """
    total, run = 0.0, Pass(Mode.PREDICT)
    for batch in examples.batches(BLOCK):
        workspace = workspaces.of(batch.size)
        X = examples.load(batch.rows, workspace, batch.X)
        Z = logits[batch.rows] if known else network.forward(X, parameters, workspace, run)
        total += network.loss.forward(Z, workspace.Y, workspace.w, workspace.loss) * len(X)
        logits[batch.rows] = Z
    return total


def as_probabilities(network: Network, answers: Array) -> Array:
    """Two columns, one a class, for the single output of a sigmoid between two classes; else the answers."""
    if network.target.kind == "classes" and network.n_out == 1:
        return np.concatenate([1 - answers, answers], axis=1)
    return answers


def finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
