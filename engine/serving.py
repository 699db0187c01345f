"""How a registered model answers: which rows it takes, and from which probability on it says yes."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component

Threshold = Annotated[float, Field(ge=0, le=1)]


class Serving(Component):
    """What a version of a registered model does with rows that lack something, and when it says yes."""

    strict: bool = Field(
        False,
        description="Refuse a row with a missing or an unknown field, in place of filling in the one and passing over "
        "the other.",
    )
    threshold: Threshold | None = Field(
        None,
        description="The decision threshold: the probability from which on a row is of the second of two classes, or "
        "has one of several labels. Null takes the likelier class, or labels likelier than not.",
    )


def refusal_of_threshold(kind: str, classes: int) -> str | None:
    """Why a model of this kind of target has no decision threshold; None where it can have one."""
    if kind == "values":
        return "decides between labels, and this model predicts values; leave it out"
    if kind == "classes" and classes != 2:
        return f"decides between two classes, and this model tells {classes} apart; leave it out"
    return None


def chosen_classes(probabilities: NDArray[np.floating], threshold: float | None) -> NDArray[np.intp]:
    """The class of every row (m): the likeliest; with a threshold the second of two from that probability on."""
    if threshold is None:
        return np.asarray(np.argmax(probabilities, axis=1), np.intp)
    return (probabilities[:, 1].astype(np.float64) >= threshold).astype(np.intp)


def chosen_labels(probabilities: NDArray[np.floating], threshold: float | None) -> NDArray[np.bool_]:
    """Which labels every row has (m × C): those likelier than not; with a threshold, from that probability on."""
    if threshold is None:
        return np.asarray(probabilities > 0.5)
    return np.asarray(probabilities.astype(np.float64) >= threshold)
