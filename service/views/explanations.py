"""What is asked and said of why a model answers as it does."""

from datetime import datetime
from typing import Self

from pydantic import AliasPath, BaseModel, ConfigDict, Field, JsonValue, model_validator

from engine.data.checks.mismatch import ColumnShift
from engine.importance import Importances
from engine.saliency import Saliency
from service.views.view import View
from worker.models.drift import Drift


class Explain(BaseModel):
    """What to explain: a dataset, or a row."""

    model_config = ConfigDict(extra="forbid")

    dataset: str | None = Field(
        None, max_length=128, description="id or name of a dataset with the target: what each feature is worth on it"
    )
    rows: int = Field(1000, ge=20, le=10_000, description="of the dataset, chosen at random")
    repeats: int = Field(5, ge=1, le=100, description="shuffles of every feature")
    seed: int = Field(0, ge=0, le=2**63 - 1)
    row: dict[str, JsonValue] | list[JsonValue] | None = Field(
        None, description="a row as in `predict`: how the answer to it moves with its features"
    )
    output: str | None = Field(
        None, max_length=1000, description="class or label whose answer is explained; null takes the likeliest"
    )

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        if (self.dataset is None) == (self.row is None):
            raise ValueError("name a dataset, for what its features are worth, or a row, for its gradient; not both")
        return self


class Explained(BaseModel):
    """An explanation, and the version that was explained."""

    model: str
    version: int
    importance: Importances | None
    gradient: Saliency | None


class DriftView(View[Drift]):
    """What a model was asked about lately, against what it learned from."""

    model: str = Field(validation_alias="name")
    version: int
    drifted: bool = Field(description="they are told apart more easily than chance explains")
    auc: float = Field(
        validation_alias=AliasPath("found", "auc"),
        description="of telling requests from training rows; 0.5: alike, 1: every row gives itself away",
    )
    margin: float = Field(
        validation_alias=AliasPath("found", "margin"),
        description="of the AUC: where it lies by chance in 95 of 100 cases, ± this around 0.5",
    )
    shifted: list[ColumnShift] = Field(
        validation_alias=AliasPath("found", "shifted"), description="features that differ beyond chance, most first"
    )
    train_rows: int = Field(validation_alias=AliasPath("found", "rows", 0), description="compared")
    request_rows: int = Field(validation_alias=AliasPath("found", "rows", 1), description="compared, a sample")
    seen: int = Field(description="rows of requests that the sample stands for")
    since: datetime = Field(description="when the oldest hour of the sample began")
