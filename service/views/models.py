"""What the service says of registered models; kept apart from `views`, as the registry is from jobs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from engine.answer_files import AnswerFormat
from engine.data.checks.mismatch import ColumnShift
from engine.importance import Importances
from engine.saliency import Saliency
from service.views.jobs import FailureView, Object, SpecObject
from worker.domain.batch_predictions import BatchPrediction
from worker.domain.models import Alias, AliasChange, Change, ModelVersion, RegisteredModel
from worker.domain.work_items import Status
from worker.models.drift import Drift


class ModelView(BaseModel):
    """A registered model."""

    name: str = Field(examples=["digits"])
    versions: int = Field(description="that there are")
    newest: int = Field(description="the version that is meant where none is named")
    aliases: Mapping[str, int] = Field(description="the version that each alias means", examples=[{"production": 3}])
    drift: bool = Field(description="whether the features of requests are sampled, for `GET …/drift`")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, model: RegisteredModel) -> Self:
        return cls(
            name=model.name,
            versions=model.versions,
            newest=model.newest,
            aliases=model.aliases,
            drift=model.drift,
            created_at=model.created_at,
            updated_at=model.updated_at,
        )


class ModelVersionView(BaseModel):
    """A version of a model; nothing about it ever changes but the aliases that mean it."""

    name: str
    version: int = Field(description="counts from 1; the number of a deleted one is not given again")
    aliases: tuple[str, ...] = Field(description="that mean this version now")
    job: str = Field(description="the job that made it", examples=["job_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    checkpoint: int | None = Field(description="of the job; null: the model that the job kept")
    sha256: str = Field(description="of the file")
    weights_sha256: str = Field(description="of the parameters alone")
    bytes: int
    data_hash: str = Field(description="of all data the job read")
    metrics: Object | None = Field(description="the job's result; of a checkpoint its epoch's metrics")
    environment: Object | None = Field(description="what it was trained with")
    spec: SpecObject
    created_at: datetime

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        return cls(
            name=version.name,
            version=version.version,
            aliases=version.aliases,
            job=version.job_id,
            checkpoint=version.checkpoint,
            sha256=version.sha256,
            weights_sha256=version.weights_sha256,
            bytes=version.bytes,
            data_hash=version.data_hash,
            metrics=version.metrics,
            environment=version.environment,
            spec=version.spec,
            created_at=version.created_at,
        )


class ModelCard(BaseModel):
    """What a version learned from, how well it does, and where it should not be trusted."""

    name: str
    version: int
    aliases: tuple[str, ...]
    created_at: datetime
    sha256: str
    weights_sha256: str
    environment: Object | None
    task: Object = Field(description="`target`, `kind`, `classes`, `outputs`, `loss`")
    data: Object = Field(description="`datasets`, `data_hash`, `features` with their ranges or labels")
    split: Object = Field(description="`how`, as in the spec, and the `examples` of each part")
    network: Object
    training: Object
    result: Object | None
    gradient_checks: list[Object]
    diagnosis: Object | None
    limits: list[str] = Field(description="sentences that follow from all this")

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        own = {
            "version": version.version,
            "aliases": version.aliases,
            "created_at": version.created_at,
            "sha256": version.sha256,
            "weights_sha256": version.weights_sha256,
            "environment": version.environment,
        }
        return cls.model_validate({**version.card, **own})


class AliasView(BaseModel):
    """A name within a model that means one of its versions."""

    alias: str = Field(examples=["production"])
    version: int
    changed_at: datetime

    @classmethod
    def of(cls, alias: Alias) -> Self:
        return cls(alias=alias.alias, version=alias.version, changed_at=alias.changed_at)


class AliasChangeView(BaseModel):
    """Something that happened to an alias."""

    number: int = Field(description="counts a model's changes from 1")
    alias: str
    change: Change
    version: int | None = Field(description="what it means since; null: it was removed")
    previous: int | None = Field(description="what it meant before; null: it was new")
    at: datetime

    @classmethod
    def of(cls, change: AliasChange) -> Self:
        return cls(
            number=change.number,
            alias=change.alias,
            change=change.change,
            version=change.version,
            previous=change.previous,
            at=change.at,
        )


class NewVersion(BaseModel):
    """What to register."""

    model_config = ConfigDict(extra="forbid")

    job: str = Field(description="id of a job that has succeeded", max_length=64)
    checkpoint: int | None = Field(
        None, ge=1, le=2**31 - 1, description="one of the job's checkpoints instead of the model it kept"
    )


class ModelSettings(BaseModel):
    """What may be changed about a model."""

    model_config = ConfigDict(extra="forbid")

    drift: bool = Field(description="sample the features of requests; false forgets what was sampled")


class AliasTarget(BaseModel):
    """What an alias is to mean."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=2**31 - 1)


class NewBatch(BaseModel):
    """What to predict."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(description="id or name of a dataset", max_length=128)
    format: AnswerFormat = Field("csv", description="of the result")


class BatchPredictionView(BaseModel):
    """The prediction of a whole dataset."""

    id: str = Field(examples=["bp_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    model: str
    version: int = Field(description="settled when it was asked for")
    dataset: str = Field(description="id of the dataset")
    reference: str = Field(description="what the request called it")
    format: AnswerFormat
    state: Status
    done: bool
    rows: int
    rows_done: int = Field(description="predicted so far")
    bytes: int | None = Field(description="size of the result; null while there is none")
    sha256: str | None
    error: FailureView | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, batch: BatchPrediction) -> Self:
        return cls(
            id=batch.id,
            model=batch.name,
            version=batch.version,
            dataset=batch.dataset_id,
            reference=batch.reference,
            format=batch.format,
            state=batch.state,
            done=batch.done,
            rows=batch.rows,
            rows_done=batch.rows_done,
            bytes=batch.bytes,
            sha256=batch.sha256,
            error=None if batch.error is None else FailureView.of(batch.error),
            created_at=batch.created_at,
            started_at=batch.started_at,
            finished_at=batch.finished_at,
        )


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


class DriftView(BaseModel):
    """What a model was asked about lately, against what it learned from."""

    model: str
    version: int
    drifted: bool = Field(description="they are told apart more easily than chance explains")
    auc: float = Field(description="of telling requests from training rows; 0.5: alike, 1: every row gives itself away")
    margin: float = Field(description="of the AUC: where it lies by chance in 95 of 100 cases, ± this around 0.5")
    shifted: list[ColumnShift] = Field(description="features that differ beyond chance, most first")
    train_rows: int = Field(description="compared")
    request_rows: int = Field(description="compared, a sample")
    seen: int = Field(description="rows of requests that the sample stands for")
    since: datetime = Field(description="when the oldest hour of the sample began")

    @classmethod
    def of(cls, drift: Drift) -> Self:
        return cls(
            model=drift.name,
            version=drift.version,
            drifted=drift.drifted,
            auc=drift.found.auc,
            margin=drift.found.margin,
            shifted=list(drift.found.shifted),
            train_rows=drift.found.rows[0],
            request_rows=drift.found.rows[1],
            seen=drift.seen,
            since=drift.since,
        )
