"""What the service says of registered models, and what is asked for them."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import AliasPath, BaseModel, ConfigDict, Field, JsonValue

from engine.serving import Threshold
from service.views.view import Object, SpecObject, View
from worker.domain.models import Alias, AliasChange, ChangeKind, ModelVersion, RegisteredModel


class ModelView(View[RegisteredModel]):
    """A registered model."""

    name: str = Field(examples=["digits"])
    versions: int = Field(description="that there are")
    newest: int = Field(description="the version that is meant where none is named")
    aliases: Mapping[str, int] = Field(description="the version that each alias means", examples=[{"production": 3}])
    drift: bool = Field(description="whether the features of requests are sampled, for `GET …/drift`")
    created_by: str = Field(description="the principal that made it")
    created_at: datetime
    updated_at: datetime


class ModelVersionView(View[ModelVersion]):
    """A version of a model; nothing about it ever changes but the aliases that mean it, and how it answers."""

    name: str
    version: int = Field(description="counts from 1; the number of a deleted one is not given again")
    aliases: tuple[str, ...] = Field(description="that mean this version now")
    job: str = Field(
        validation_alias="job_id", description="the job that made it", examples=["job_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"]
    )
    checkpoint: int | None = Field(description="of the job; null: the model that the job kept")
    sha256: str = Field(description="of the file")
    weights_sha256: str = Field(description="of the parameters alone")
    bytes: int
    data_hash: str = Field(description="of all data the job read")
    strict: bool = Field(description="whether rows with missing or unknown fields are refused")
    threshold: float | None = Field(
        description="the decision threshold: the probability from which on a row is of the second of two classes, or "
        "has one of several labels; null: the likelier class, or labels likelier than not"
    )
    metrics: Object | None = Field(description="the job's result; of a checkpoint its epoch's metrics")
    environment: Object | None = Field(description="what it was trained with")
    spec: SpecObject
    created_by: str = Field(description="the principal that made it")
    created_at: datetime


class ModelCard(View[ModelVersion]):
    """What a version learned from, how well it does, and where it should not be trusted."""

    name: str
    version: int
    aliases: tuple[str, ...]
    created_at: datetime
    sha256: str
    weights_sha256: str
    environment: Object | None
    strict: bool
    threshold: float | None
    task: Object = Field(
        validation_alias=AliasPath("card", "task"), description="`target`, `kind`, `classes`, `outputs`, `loss`"
    )
    data: Object = Field(
        validation_alias=AliasPath("card", "data"),
        description="`datasets`, `data_hash`, `features` with their ranges or labels",
    )
    split: Object = Field(
        validation_alias=AliasPath("card", "split"),
        description="`how`, as in the spec, and the `examples` of each part",
    )
    network: Object = Field(validation_alias=AliasPath("card", "network"))
    training: Object = Field(validation_alias=AliasPath("card", "training"))
    result: Object | None = Field(validation_alias=AliasPath("card", "result"))
    gradient_checks: list[Object] = Field(validation_alias=AliasPath("card", "gradient_checks"))
    diagnosis: Object | None = Field(validation_alias=AliasPath("card", "diagnosis"))
    limits: list[str] = Field(
        validation_alias=AliasPath("card", "limits"), description="sentences that follow from all this"
    )


class AliasView(View[Alias]):
    """A name within a model that means one of its versions."""

    alias: str = Field(examples=["production"])
    version: int
    changed_at: datetime


class AliasChangeView(View[AliasChange]):
    """Something that happened to an alias."""

    number: int = Field(description="counts a model's changes from 1")
    alias: str
    change: ChangeKind
    version: int | None = Field(description="what it means since; null: it was removed")
    previous: int | None = Field(description="what it meant before; null: it was new")
    who: str = Field(description="changed it: a name, or an address where nobody has to say a name")
    at: datetime


class NewVersion(BaseModel):
    """What to register."""

    model_config = ConfigDict(extra="forbid")

    job: str = Field(description="id of a job that has succeeded", max_length=64)
    checkpoint: int | None = Field(
        None, ge=1, le=2**31 - 1, description="one of the job's checkpoints instead of the model it kept"
    )
    strict: bool | None = Field(
        None, description="refuse rows with missing or unknown fields; null: as the job's spec has it in `serving`"
    )
    threshold: Threshold | None = Field(None, description="the decision threshold; null: as the job's spec has it")

    def serving(self) -> dict[str, JsonValue]:
        """What overrides the job's spec."""
        return self.model_dump(include={"strict", "threshold"}, exclude_none=True)


class ServingChange(BaseModel):
    """What is to be different about how a version answers; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    strict: bool = Field(False, description="refuse rows with missing or unknown fields")
    threshold: Threshold | None = Field(None, description="the decision threshold; null takes the likelier label")

    def changes(self) -> dict[str, JsonValue]:
        """What was sent."""
        return self.model_dump(include=self.model_fields_set)


class ModelSettings(BaseModel):
    """What may be changed about a model."""

    model_config = ConfigDict(extra="forbid")

    drift: bool = Field(description="sample the features of requests; false forgets what was sampled")


class AliasTarget(BaseModel):
    """What an alias is to mean."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=2**31 - 1)
