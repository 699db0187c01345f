"""The JSON documents of the API, as far as a program needs their fields; all of them may carry more."""

from typing import Literal, NotRequired, TypedDict

from pydantic import JsonValue

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]

Spec = dict[str, JsonValue]
"""A job to be: `{"data": {"train": "digits", "target": "label"}, …}`; `GET /v1/schemas/job` describes it."""

MetricsRow = dict[str, float | int | None]
"""One epoch: `epoch`, `step`, `learning_rate`, `train_cost`, …; null where a number was not finite."""


class MetricsPage(TypedDict):
    """Some rows, and whether there are more behind them."""

    data: list[MetricsRow]
    has_more: bool


class Failure(TypedDict):
    """Why a job failed."""

    code: str
    message: str
    param: str | None
    hint: str | None


class Job(TypedDict):
    """A job at one moment."""

    id: str
    name: str | None
    state: State
    done: bool
    stage: str
    attempt: int
    epoch: int
    epochs: int
    pending: str | None
    stop_reason: str | None
    waiting_reason: str | None
    spec: Spec
    result: dict[str, JsonValue] | None
    error: Failure | None
    created_at: str


class Event(TypedDict):
    """Something that happened to a job; `seq` counts from 1."""

    seq: int
    type: str
    data: dict[str, JsonValue]


class ComponentCheck(TypedDict):
    """One component of a tensor, with both its derivatives."""

    index: list[int]
    analytic: float
    numeric: float


class TensorCheck(TypedDict):
    """How far one tensor's analytic gradient is from the numeric one."""

    name: str
    difference: float
    verdict: str
    checked: int
    size: int
    kinks: int
    worst: ComponentCheck


class GradientReport(TypedDict):
    """A gradient check; `at` is the moment it was made."""

    at: str | int
    difference: float
    verdict: str
    checked: int
    parameters: int
    epsilon: float
    sided: str
    tensors: list[TensorCheck]


class GradientCheck(TypedDict):
    """A check that was asked for, or, with `requested` null, one that the job's spec wants."""

    number: int
    state: Literal["queued", "running", "succeeded", "failed"]
    requested: dict[str, JsonValue] | None
    report: GradientReport | None
    error: Failure | None


class GradientChecks(TypedDict):
    """Some checks, and whether there are more behind them."""

    data: list[GradientCheck]
    has_more: bool


class Prediction(TypedDict):
    """What the model says about a row: a label with its probabilities, or a value."""

    label: NotRequired[JsonValue]
    probabilities: NotRequired[dict[str, float]]
    value: NotRequired[JsonValue]


class Predictions(TypedDict):
    """One prediction per row, in order."""

    predictions: list[Prediction]


class Dataset(TypedDict):
    """A dataset that jobs can name."""

    id: str
    name: str
    version: int
    rows: int
    sha256: str


class Preview(TypedDict):
    """The first rows of a dataset, and its columns with their types and histograms."""

    rows: list[dict[str, JsonValue]]
    summary: list[dict[str, JsonValue]]


class Finding(TypedDict):
    """Something about data that a person should know before trusting a model."""

    check: str
    severity: str
    message: str
    advice: str
    columns: list[str]


class DataReport(TypedDict):
    """What the checks have to say about a dataset and its split."""

    findings: list[Finding]
    split: dict[str, JsonValue]
    classes: dict[str, JsonValue] | None
    strongest: list[dict[str, JsonValue]]
    repeated_rows: dict[str, JsonValue] | None
    mismatches: list[dict[str, JsonValue]]


class DatasetUsage(TypedDict):
    """What a dataset takes up, and what was made of it."""

    id: str
    name: str
    version: int
    upload_bytes: int
    stored_bytes: int
    jobs: int
    live: int
    models: int
    uses: list[dict[str, JsonValue]]


class ParameterSet(TypedDict):
    """Uploaded initial parameters."""

    id: str
    name: str


class PointedDetail(TypedDict):
    """What is wrong with one field of a request."""

    pointer: str
    detail: str


class LayersMeasured(TypedDict):
    """How every dense layer did in the last batch of an epoch."""

    epoch: int
    layers: list[dict[str, JsonValue]]


class NextStep(TypedDict):
    """A job to try next: the merge patch of the spec, and the patched spec."""

    against: str
    title: str
    reason: str
    patch: dict[str, JsonValue]
    spec: dict[str, JsonValue]


class Diagnosis(TypedDict):
    """Bias or variance, with the evidence and what to try, best first."""

    verdict: str
    train_error: float
    dev_error: float | None
    avoidable_bias: float
    variance: float | None
    evidence: list[str]
    next_steps: list[NextStep]


class Preset(TypedDict):
    """A job of the gallery."""

    name: str
    title: str
    look_at: str
    spec: dict[str, JsonValue]


class Validated(TypedDict):
    """What a spec would be as a job."""

    spec: dict[str, JsonValue]
    queue: str
    cost: dict[str, int]
