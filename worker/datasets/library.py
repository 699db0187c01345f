"""The datasets that jobs learn from: uploads, and the sample sets, made when they are first needed."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from engine.data import SAMPLES, Dataset, ReadLimits, format_of, load_sample, suggest_dataset
from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.augmentation.augmented_sheet import augmented_sheet
from engine.data.formats.formats import FORMATS
from engine.data.formats.incoming import Incoming
from engine.data.formats.packed import packed_table, unpack
from engine.data.storage.stored import store
from worker.domain.datasets import DatasetRecord, DatasetUsage, PinnedDataset
from worker.domain.ids import new_id
from worker.domain.names import checked, possible
from worker.domain.paging import Page
from worker.errors import InvalidPage, NameTaken, UnknownDataset, UnsupportedMediaType
from worker.settings import Settings
from worker.storage.artifacts import Artifacts, room
from worker.storage.uploads import Upload
from worker.store import StoredFile, TenantStore

MAX_PREVIEW = 100
LISTED_USES = 100


class DatasetLibrary:
    """Rows in the store and files among the artifacts, always both or neither."""

    def __init__(self, store: TenantStore, artifacts: Artifacts, settings: Settings) -> None:
        self._store = store
        self._artifacts = artifacts
        self._limits = ReadLimits(
            max_rows=settings.max_rows,
            max_features=settings.max_columns,
            max_expanded_bytes=settings.max_expanded_bytes,
        )

    def add(
        self, name: str, media_type: str, upload: Upload, options: Mapping[str, str] | None = None
    ) -> tuple[DatasetRecord, bool]:
        """Read an upload and keep it as the next version of the name; whether it was new, or is the newest already.

        The options are fields of its format, such as the size that images are brought to.
        """
        checked(name)
        if name in SAMPLES:
            raise NameTaken(f"{name!r} is the name of a sample set; choose another name")
        essence, *parameters = media_type.lower().split(";", 1)
        packed = packed_table(upload.path, essence.strip())
        form = format_of(media_type if packed is None else ";".join([packed.media_type, *parameters]), options)
        if form is None:
            raise UnsupportedMediaType(media_type, tuple(known for form in FORMATS for known in form.media_types))
        sha256 = upload.sha256
        told = form.model_dump(mode="json", exclude={"type"}, exclude_defaults=True)
        if told:  # the same bytes read in another way are another dataset
            sha256 = hashlib.sha256(f"{sha256} {json.dumps(told, sort_keys=True)}".encode()).hexdigest()
        known = self._same(name, form.media_types[0], sha256)
        if known is not None:
            return known, False
        with self._artifacts.unfinished() as path:
            if packed is not None:
                with room():
                    unpack(upload.path, packed, path, self._limits)
            incoming = form.incoming(upload.path if packed is None else path, self._limits)
            return self._keep(name, form.media_types[0], incoming, upload.bytes, sha256)

    def find(self, reference: str, *, pointer: str = "") -> DatasetRecord:
        """The dataset with this id, name or `name@version`; a sample set is made when it is first asked for."""
        known = self._store.datasets.find(reference) if possible(reference) else None
        if known is not None:
            return known
        sample = self._sample(reference, pointer)
        return self._keep(reference, None, {part: Incoming.of(t) for part, t in sample.parts.items()}, 0, "")[0]

    def known(self, reference: str) -> PinnedDataset | None:
        """What `find` would find, as far as a job remembers it; None where there is none, or none yet."""
        return self._store.datasets.pinned(reference) if possible(reference) else None

    def look_at(self, reference: str, *, pointer: str = "") -> Dataset:
        """The dataset with this id or name, mapped; a sample set is looked at without being kept."""
        known = self._store.datasets.find(reference) if possible(reference) else None
        return self._sample(reference, pointer) if known is None else self.open(known.id)

    def _sample(self, reference: str, pointer: str) -> Dataset:
        if reference not in SAMPLES:
            names = [*SAMPLES, *(record.name for record in self.page(limit=100, after=None).data)]
            raise UnknownDataset(reference, pointer=pointer, hint=suggest_dataset(reference, names))
        return load_sample(reference, pointer=pointer)

    def load(self, reference: str) -> Dataset:
        """The dataset's tables, after a look that the file is the one that was stored."""
        stored = self._store.datasets.stored(reference)
        if stored is None:
            raise UnknownDataset(reference)
        return Dataset.load(self._artifacts.verified(stored.file, stored.sha256))

    def open(self, reference: str) -> Dataset:
        """The dataset's tables, mapped: only what is looked at is read."""
        stored = self._store.datasets.stored(reference)
        if stored is None:
            raise UnknownDataset(reference)
        return Dataset.load(self._artifacts.path(stored.file))

    def page(self, *, limit: int, after: str | None, name: str | None = None) -> Page[DatasetRecord]:
        """Datasets older than `after`, newest first; of one name, its versions."""
        if name is not None and not possible(name):
            return Page((), has_more=False)
        return self._store.datasets.page(limit=limit, after=after, name=name)

    def preview(self, reference: str, limit: int) -> Mapping[str, JsonValue]:
        """The first rows as JSON, and what every column holds over all rows."""
        if not 1 <= limit <= MAX_PREVIEW:
            raise InvalidPage("limit", f"{limit} is not between 1 and {MAX_PREVIEW}")
        record = self.find(reference)
        return {**self.open(record.id).preview(limit), "summary": record.summary["columns"]}

    def augmented(
        self, reference: str, augment: Sequence[AnyAugmentation], *, rows: int, draws: int, seed: int, pointer: str
    ) -> bytes:
        """A PNG of the first images to learn from, beside what the augmentations make of them."""
        training = self.open(self.find(reference).id).training
        return augmented_sheet(training, augment, rows=rows, draws=draws, seed=seed, pointer=pointer)

    def usage(self, reference: str) -> DatasetUsage:
        """What the dataset takes up, and the jobs and models that were made of it."""
        record = self.find(reference)
        stored = self._store.datasets.stored(record.id)
        if stored is None:
            raise UnknownDataset(reference)
        uses, counted = self._store.datasets.uses(record.id, limit=LISTED_USES)
        return DatasetUsage(record, self._artifacts.path(stored.file).stat().st_size, **counted, uses=uses)

    def delete(self, reference: str) -> None:
        """Forget the dataset and remove its file; `DatasetInUse` while a job that is not done needs it."""
        stored = self._store.datasets.delete(reference) if possible(reference) else None
        if stored is None:
            raise UnknownDataset(reference)
        self._artifacts.discard(stored.file)

    def _same(self, name: str, media_type: str, sha256: str) -> DatasetRecord | None:
        """The newest dataset of that name if it was made from these bytes."""
        stored, known = self._store.datasets.stored(name), self._store.datasets.find(name)
        if stored is None or known is None or (stored.upload_sha256, known.media_type) != (sha256, media_type):
            return None
        return known

    def _keep(
        self,
        name: str,
        media_type: str | None,
        incoming: Mapping[str, Incoming],
        upload_bytes: int,
        upload_sha256: str,
    ) -> tuple[DatasetRecord, bool]:
        dataset_id = new_id("ds")
        file = f"datasets/{dataset_id}.safetensors"
        with self._artifacts.unfinished() as path:
            with room():
                store(path, incoming)
            dataset = Dataset.load(path)
            summary = {**dataset.summary(), "guesses": _guesses(incoming)}
            sha256 = self._artifacts.keep(path, file)
        stored = StoredFile(dataset_id, name, upload_bytes, upload_sha256, file, sha256)
        rows = sum(table.rows for table in dataset.parts.values())
        try:
            record, created = self._store.datasets.add(stored, media_type=media_type, rows=rows, summary=summary)
        except BaseException:  # whatever it was: no row, no file
            self._artifacts.discard(file)
            raise
        if not created:  # the same was stored a moment ago
            self._artifacts.discard(file)
        return record, created


def _guesses(incoming: Mapping[str, Incoming]) -> list[JsonValue]:
    """What was guessed about the file, as JSON, once for all its parts."""
    return [guess.model_dump(mode="json") for guess in dict.fromkeys(g for t in incoming.values() for g in t.guesses)]


def data_hash(pinned: Mapping[str, PinnedDataset]) -> str:
    """What a job learns from, in one hash: of the references of its spec, in order, and their contents."""
    digest = hashlib.sha256()
    for known in pinned.values():
        digest.update(known.sha256.encode())
    return digest.hexdigest()
