"""The backend's datasets: added, found, looked through, checked, deleted."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.checks import DataReport
from engine.data.splits import AnySplit
from worker.datasets.data_checks import DataChecks
from worker.datasets.library import DatasetLibrary
from worker.domain.datasets import DatasetRecord, DatasetUsage
from worker.domain.paging import Page, Pages, page_after
from worker.settings import Settings
from worker.storage.uploads import Upload
from worker.store import TenantStore


class DatasetsBackend:
    """What may be asked about datasets; thread-safe."""

    def __init__(self, settings: Settings, store: TenantStore, library: DatasetLibrary) -> None:
        self._pages = Pages(settings.max_page)
        self._library = library
        self._data_checks = DataChecks(store, library)

    def add(
        self, name: str, media_type: str, upload: Upload, options: Mapping[str, str] | None = None
    ) -> tuple[DatasetRecord, bool]:
        """Make an upload the next version of a dataset; whether it was new, or is the newest version already.

        Raises InvalidName, NameTaken, UnsupportedMediaType, DataError, StorageFull.
        """
        return self._library.add(name, media_type, upload, options)

    def find(self, reference: str) -> DatasetRecord:
        """The dataset, or sample set, with this id or name; raises UnknownDataset."""
        return self._library.find(reference)

    def page(self, *, limit: int = 20, after: str | None = None, name: str | None = None) -> Page[DatasetRecord]:
        """Datasets older than `after`, newest first; of one name, its versions."""
        return self._library.page(limit=self._pages.limit(limit), after=page_after("ds", after), name=name)

    def preview(self, reference: str, *, limit: int = 10) -> Mapping[str, JsonValue]:
        """The first rows of a dataset."""
        return self._library.preview(reference, limit)

    def augmented(
        self,
        reference: str,
        augment: Sequence[AnyAugmentation],
        *,
        rows: int,
        draws: int,
        seed: int,
        pointer: str = "/data/augment",
    ) -> bytes:
        """A PNG of a dataset's images beside what the augmentations make of them.

        Raises UnknownDataset; SpecError, its pointer beginning as told, where they do not fit the dataset.
        """
        return self._library.augmented(reference, augment, rows=rows, draws=draws, seed=seed, pointer=pointer)

    def report(self, reference: str, *, target: str | None = None, split: AnySplit | None = None) -> DataReport:
        """What the checks find about a dataset; raises UnknownDataset, SpecError."""
        return self._data_checks.of_dataset(reference, target=target, split=split)

    def usage(self, reference: str) -> DatasetUsage:
        """What a dataset takes up, and the jobs and models made of it; raises UnknownDataset."""
        return self._library.usage(reference)

    def delete(self, reference: str) -> None:
        """Remove a dataset; raises DatasetInUse while a job that is not done needs it."""
        self._library.delete(reference)
