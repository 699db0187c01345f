"""What may be wrong with data, and with how they are split."""

from typing import Literal, NotRequired, TypedDict

from trainshed.client.types.json import JsonValue


class Settle(TypedDict):
    """What settles a finding, ready to be sent: a merge patch of the job, or a query parameter of the upload."""

    job: NotRequired[JsonValue]
    upload: NotRequired[str | None]


class Finding(TypedDict):
    """Something about data that a person should know before trusting a model."""

    check: str
    severity: Literal["info", "warning", "serious", "refused"]
    message: str
    advice: str
    columns: NotRequired[list[str]]
    count: NotRequired[int | None]
    examples: NotRequired[list[str]]
    settle: NotRequired[Settle | None]


class SplitReport(TypedDict):
    """How the rows are split, and what was advised."""

    rows: dict[str, int]
    advised: dict[str, float]
    used: dict[str, float]
    followed: bool
    reason: str


class ClassShare(TypedDict):
    """How frequent one class is, and its rows in every part."""

    label: str
    share: float
    rows: dict[str, int]


class ClassBalance(TypedDict):
    """How frequent the classes are; `always` is the accuracy of always answering the most frequent one."""

    count: int
    always: float
    classes: list[ClassShare]


class Predictor(TypedDict):
    """How well one input alone predicts the target."""

    column: str
    input: str
    measure: str
    value: float


class SameRow(TypedDict):
    """A row that is in the training set, too."""

    dataset: str
    row: int
    train_dataset: str
    train_row: int


class Leak(TypedDict):
    """Rows of a part that are in the training set, too."""

    part: str
    rows: int
    same_answer: int
    share: float
    examples: list[SameRow]


class RepeatedRows(TypedDict):
    """Rows that are there more than once."""

    compared: dict[str, int]
    duplicates: int
    contradictions: int
    leaks: list[Leak]


class ColumnShift(TypedDict):
    """How far a column's mean differs between two sets of rows."""

    column: str
    input: str
    difference: float
    standardized: float | None


class Mismatch(TypedDict):
    """Two parts that a classifier can tell apart."""

    sets: list[str]
    auc: float
    margin: float
    rows: list[int]
    shifted: list[ColumnShift]


class DataReport(TypedDict):
    """What the checks have to say about a dataset and its split."""

    findings: list[Finding]
    split: SplitReport
    classes: ClassBalance | None
    strongest: list[Predictor]
    repeated_rows: RepeatedRows | None
    mismatches: list[Mismatch]
