"""The fields of a job's result, which is passed on as it was stored: for those who select some of them."""

from pydantic import BaseModel, Field, JsonValue, create_model

from engine.metrics import METRICS

NAMES = tuple(dict.fromkeys(name for metrics in METRICS.values() for name in metrics))


class MeasuredPart(BaseModel):
    """What the kept model is worth on a part of the data, beside the metrics of its task."""

    examples: int
    cost: float | None
    classes: list[JsonValue] | None = None
    confusion_matrix: list[JsonValue] | None = None
    filled: int | None = Field(None, description="rows with a missing field, which was filled in; not there for none")
    unseen: int | None = Field(None, description="rows with a label that no training row has; not there for none")
    outside: int | None = Field(None, description="rows with a number far outside the training range")


PartView = create_model("PartView", __base__=MeasuredPart, **{name: (float | None, None) for name in NAMES})  # type: ignore[call-overload]


class Reproduction(BaseModel):
    """Whether a rerun came out like the job that it repeats."""

    job: str
    agrees: bool | None


class ResultView(BaseModel):
    """A job's result."""

    train: PartView
    dev: PartView | None = None
    test: PartView | None = None
    epoch: int
    epochs: int
    steps: int
    kept: str
    stop_reason: str
    parameters: int
    weights_sha256: str
    reproduces: Reproduction | None = None


MEASURED = tuple(f"result.{part}.{name}" for part in ("train", "dev", "test") for name in ("examples", "cost", *NAMES))
"""The paths of all that is measured as one number."""
