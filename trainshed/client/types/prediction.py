"""What a model says about rows."""

from typing import NotRequired, TypedDict

from trainshed.client.types.json import JsonValue


class LabelProbability(TypedDict):
    """A label, and how sure the model is of it."""

    label: JsonValue
    probability: float


class Prediction(TypedDict):
    """Of one row: a `label` or several `labels` with `probabilities`, the `top` of them, or a `value`.

    Fields that were `filled` in, whose label is `unseen` in training, whose number is far `outside` of training's.
    """

    label: NotRequired[JsonValue]
    labels: NotRequired[list[str]]
    probabilities: NotRequired[dict[str, float]]
    top: NotRequired[list[LabelProbability]]
    value: NotRequired[float | list[float]]
    filled: NotRequired[list[str]]
    unseen: NotRequired[list[str]]
    outside: NotRequired[list[str]]


class Predictions(TypedDict):
    """One prediction per row, in order."""

    predictions: list[Prediction]
    ignored: NotRequired[list[str]]


class ModelPredictions(TypedDict):
    """One prediction per row, in order, and the version that made them."""

    model: str
    version: int
    predictions: list[Prediction]
    ignored: NotRequired[list[str]]
