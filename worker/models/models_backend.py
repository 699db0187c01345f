"""The backend's registered models: their versions, aliases, artifacts and drift."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import JsonValue

from engine import DataError, Model, Table
from engine.table_answers import check_columns
from worker.datasets.library import DatasetLibrary
from worker.domain.models import Alias, AliasChange, ModelVersion, RegisteredModel
from worker.domain.names import checked_alias
from worker.domain.paging import Page, Pages, column_number
from worker.models.drift import Drift, drift_of
from worker.models.registry import ModelFormat, ModelRegistry, known_name
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import TenantStore


class ModelsBackend:
    """What may be asked about registered models; thread-safe."""

    def __init__(
        self,
        settings: Settings,
        store: TenantStore,
        artifacts: Artifacts,
        registry: ModelRegistry,
        datasets: DatasetLibrary,
    ) -> None:
        self._pages = Pages(settings.max_page)
        self._store = store
        self._artifacts = artifacts
        self._registry = registry
        self._library = datasets

    def register(
        self, name: str, job_id: str, checkpoint: int | None = None, serving: Mapping[str, JsonValue] | None = None
    ) -> tuple[ModelVersion, bool]:
        """Make a job's model, or a checkpoint of it, the next version of a name; whether it is new there.

        `serving` overrides what the job's spec says of how the version answers. Raises InvalidName, UnknownJob,
        NoModel, UnknownCheckpoint, DataError.
        """
        return self._registry.register(name, job_id, checkpoint, serving)

    def change_serving(self, name: str, version: int, change: Mapping[str, JsonValue]) -> ModelVersion:
        """Have a version answer in another way; raises UnknownModel, UnknownVersion, DataError."""
        return self._registry.change_serving(known_name(name), column_number(version), change)

    def page(self, *, limit: int = 20, after: str | None = None) -> Page[RegisteredModel]:
        """Models behind the name `after`, by name."""
        return self._store.models.page(limit=self._pages.limit(limit), after=after)

    def get(self, name: str) -> RegisteredModel:
        """The model of this name; raises UnknownModel."""
        return self._store.models.get(known_name(name))

    def sample_features(self, name: str, wanted: bool) -> RegisteredModel:
        """Whether the features of the model's requests are sampled, for `drift`; raises UnknownModel."""
        self._store.models.sample_features(known_name(name), wanted)
        return self.get(name)

    def versions(self, name: str, *, limit: int = 20, after: int | None = None) -> Page[ModelVersion]:
        """Versions older than `after`, newest first."""
        before = None if after is None else column_number(after)
        return self._store.models.versions(known_name(name), limit=self._pages.limit(limit), after=before)

    def version(self, name: str, reference: int | str | None = None, *, pointer: str = "") -> ModelVersion:
        """The version with this number, or that this alias means, or the newest.

        Raises UnknownModel, UnknownVersion, UnknownAlias.
        """
        if isinstance(reference, str) and reference.isascii() and reference.isdigit():
            reference = int(reference)
        meant = column_number(reference) if isinstance(reference, int) else reference
        return self._store.models.version(known_name(name), meant, pointer=pointer)

    def version_path(self, version: ModelVersion) -> Path:
        """Where the version's file lies; raises ArtifactDamaged when it is not what was stored."""
        return self._registry.path(version)

    def artifact(self, version: ModelVersion, form: ModelFormat) -> AbstractContextManager[tuple[Path, str]]:
        """The version's file and its SHA-256, within the block, in one of the formats that a model can be written in.

        Raises ArtifactDamaged, ExportImpossible, StorageFull.
        """
        return self._registry.artifact(version, form)

    @property
    def answers_at_once(self) -> bool:
        """Whether `revision_at_once` may be asked."""
        return self._store.models.answers_at_once

    @property
    def writes(self) -> int | None:
        """A number: while it is the same no model has changed. None where nobody can tell without asking."""
        return self._store.models.writes

    def revision(self, name: str) -> int | None:
        """How far the model has changed; None where it is not there."""
        return self._store.models.revision(name)

    def revision_at_once(self, name: str) -> int | None:
        """The same without waiting, for an event loop; raises StoreUnavailable where there is something to wait for."""
        return self._store.models.revision_at_once(name)

    def delete_version(self, name: str, version: int) -> None:
        """Forget a version; raises VersionInUse while an alias means it or predictions are made with it."""
        self._registry.delete(known_name(name), column_number(version))

    def aliases(self, name: str) -> tuple[Alias, ...]:
        """What the model's aliases mean, by name; raises UnknownModel."""
        return self._store.model_aliases.all(known_name(name))

    def alias(self, name: str, alias: str) -> Alias:
        """What the alias means; raises UnknownModel, UnknownAlias."""
        return self._store.model_aliases.get(known_name(name), alias)

    def set_alias(self, name: str, alias: str, version: int, who: str | None = None) -> Alias:
        """Have the alias mean this version; raises InvalidName, UnknownModel, UnknownVersion."""
        return self._store.model_aliases.set(known_name(name), checked_alias(alias), column_number(version), who)

    def roll_back_alias(self, name: str, alias: str, who: str | None = None) -> Alias:
        """Have the alias mean what it meant before; raises UnknownAlias, NoEarlierVersion."""
        return self._store.model_aliases.roll_back(known_name(name), alias, who)

    def remove_alias(self, name: str, alias: str, who: str | None = None) -> None:
        """Forget the alias, not its history; raises UnknownAlias."""
        self._store.model_aliases.remove(known_name(name), alias, who)

    def alias_history(
        self, name: str, alias: str | None = None, *, limit: int = 20, after: int | None = None
    ) -> Page[AliasChange]:
        """Changes of the model's aliases older than number `after`, newest first."""
        before = None if after is None else column_number(after)
        return self._store.model_aliases.history(known_name(name), alias, limit=self._pages.limit(limit), before=before)

    def labelled_table(self, model: Model, reference: str, *, pointer: str) -> Table:
        """The rows of a dataset that has the model's features and its target; raises UnknownDataset, DataError."""
        dataset = self._library.open(self._library.find(reference, pointer=pointer).id)
        try:
            check_columns(model, dataset.training)
        except DataError as error:
            raise DataError(error.detail, pointer=pointer) from error
        if model.preprocessor.target.name not in dataset.training.columns:
            target = model.preprocessor.target.name
            raise DataError(f"dataset {reference!r} has no column {target!r}, the target of the model", pointer=pointer)
        return dataset.pooled

    def keep_feature_sample(
        self,
        name: str,
        process: str,
        since: float,
        *,
        seen: int,
        columns: Sequence[str],
        rows: Sequence[Sequence[JsonValue]],
    ) -> bool:
        """Write down what a process has sampled of an hour's requests; False where that is not wanted any more."""
        return self._store.feature_samples.keep(name, process, since, seen=seen, columns=columns, rows=rows)

    def drift(self, name: str, reference: int | str | None = None) -> Drift:
        """The sampled requests against the version's training rows; raises NothingToCompare."""
        model, version = self.get(name), self.version(name, reference)
        return drift_of(model, version, self._store, self._artifacts, self._library)
