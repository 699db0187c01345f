"""The JSON documents of the API, as far as a program needs their fields; all of them may carry more."""

from typing import Literal, NotRequired, TypeAlias, TypedDict

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | bool | int | float | None"

State = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]

Spec = dict[str, JsonValue]
"""A job to be: `{"data": {"train": "digits", "target": "label"}, …}`; `GET /v1/schemas/job` describes it."""

MetricsRow = dict[str, float | int | str | None]
"""One epoch: `epoch`, `step`, `learning_rate`, `train_cost`, …, null where a number was not finite, and `at`."""


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


class Progress(TypedDict):
    """How far a training is; `eta_at_most` where early stopping may end it sooner."""

    epoch: int
    epochs: int
    step: int
    steps: int
    fraction: float
    examples_per_second: float | None
    eta_seconds: float | None
    eta_at_most: bool
    epochs_since_best: int | None
    patience: int | None


class Checkpoint(TypedDict):
    """A place where a job can go on."""

    number: int
    epoch: int
    step: int
    kind: Literal["best", "periodic", "control"]
    revision: int
    bytes: int
    sha256: str
    metrics: dict[str, JsonValue]
    created_at: str


class Revision(TypedDict):
    """A change of hyper-parameters; `before` and `after` map JSON pointers to values."""

    number: int
    patch: dict[str, JsonValue]
    before: dict[str, JsonValue]
    after: dict[str, JsonValue]
    note: str | None
    who: str | None
    created_at: str
    effective_epoch: int | None
    checkpoint: int | None
    undone_at: str | None


class Hyperparameters(TypedDict):
    """What may change while a job trains, its values by JSON pointer, and every change so far."""

    revision: int
    values: dict[str, JsonValue]
    spec: Spec
    data: list[Revision]


class Period(TypedDict):
    """A time that a job spent in one state."""

    state: State
    at: str
    until: str | None
    seconds: float | None
    attempt: int
    reason: str | None


class Worker(TypedDict):
    """A process that trains jobs, one at a time."""

    id: str
    host: str
    pid: int
    queues: list[str]
    device: str | None
    memory_bytes: int | None
    threads: int | None
    job: str | None
    started_at: str
    seen_at: str


class Difference(TypedDict):
    """A field in which specs differ: a value per job."""

    pointer: str
    values: list[JsonValue]


class Curves(TypedDict):
    """By metric, for each job its values, one per epoch."""

    epochs: list[int]
    series: dict[str, list[list[float | None]]]


class Comparison(TypedDict):
    """Jobs side by side."""

    jobs: list[dict[str, JsonValue]]
    differences: list[Difference]
    curves: Curves


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
    progress: Progress | None
    pending: str | None
    stop_reason: str | None
    waiting_reason: str | None
    queue_position: int | None
    priority: int
    revision: int
    rerun_of: str | None
    spec: Spec
    result: dict[str, JsonValue] | None
    error: Failure | None
    created_at: str
    finished_at: str | None


class Timeline(TypedDict):
    """A job's states and how long they took, and what was asked of it."""

    data: list[Period]
    marks: list["Event"]


class Event(TypedDict):
    """Something that happened to a job; `seq` counts from 1. `done`, which ends a stream, has no time of its own."""

    seq: int
    type: str
    at: NotRequired[str]
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


class RegisteredModel(TypedDict):
    """A name under which there are versions of a model."""

    name: str
    versions: int
    newest: int
    aliases: dict[str, int]
    drift: bool


class ModelVersion(TypedDict):
    """What a job made, kept as it was."""

    name: str
    version: int
    aliases: list[str]
    job: str
    checkpoint: int | None
    sha256: str
    weights_sha256: str
    metrics: dict[str, JsonValue] | None
    spec: dict[str, JsonValue]
    created_at: str


class Alias(TypedDict):
    """A name within a model that means one of its versions."""

    alias: str
    version: int
    changed_at: str


class ModelPredictions(TypedDict):
    """A prediction for each row, and the version that made them."""

    model: str
    version: int
    predictions: list[Prediction]


class BatchPrediction(TypedDict):
    """The prediction of a whole dataset."""

    id: str
    model: str
    version: int
    dataset: str
    format: str
    state: str
    done: bool
    rows: int
    rows_done: int
    error: Failure | None
