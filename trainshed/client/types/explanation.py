"""Why a model says what it says, and whether what it is asked looks like what it learned from."""

from typing import TypedDict

from trainshed.client.types.data_report import ColumnShift


class Importance(TypedDict):
    """How much worse the model does when one feature is shuffled."""

    feature: str
    importance: float
    standard_error: float


class Importances(TypedDict):
    """What every feature is worth on a dataset."""

    metric: str
    score: float
    rows: int
    repeats: int
    seed: int
    features: list[Importance]


class InputGradient(TypedDict):
    """How the answer moves with one input."""

    feature: str
    input: str
    value: float
    scaled_gradient: float
    gradient: float


class Saliency(TypedDict):
    """How the answer to one row moves with its inputs."""

    output: str
    answer: float
    inputs: list[InputGradient]


class Explained(TypedDict):
    """Permutation importance on a dataset, or the gradient at a row."""

    model: str
    version: int
    importance: Importances | None
    gradient: Saliency | None


class Drift(TypedDict):
    """Whether a classifier can tell recent requests from training rows."""

    model: str
    version: int
    drifted: bool
    auc: float
    margin: float
    shifted: list[ColumnShift]
    train_rows: int
    request_rows: int
    seen: int
    since: str
