"""Initial parameters that people bring along: stored once, referred to by name."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.data.formats.limits import ReadLimits
from engine.data.storage.tensor_file import map_tensors, write_tensors
from engine.foreign_weights import Origin
from worker.domain.ids import new_id
from worker.domain.names import checked, possible
from worker.domain.paging import Page
from worker.domain.parameter_sets import ParameterSet
from worker.errors import NameTaken, UnknownParameters, UnsupportedMediaType
from worker.parameters.files import MEDIA_TYPES, Tensors, read_parameters
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.storage.uploads import Upload
from worker.store import StoredFile, TenantStore

ARRAYS_PER_LAYER = 7  # W, b, gamma, beta, two running averages and how many batches they saw


class ParameterLibrary:
    """Rows in the store and files among the artifacts, always both or neither."""

    def __init__(self, store: TenantStore, artifacts: Artifacts, settings: Settings) -> None:
        self._store = store
        self._artifacts = artifacts
        self._limits = ReadLimits(
            max_rows=settings.max_parameters,
            max_features=settings.max_parameters,
            max_expanded_bytes=settings.max_expanded_bytes,
            max_members=ARRAYS_PER_LAYER * (settings.max_layers + 1),
        )

    def add(self, name: str, media_type: str, upload: Upload, origin: Origin = "auto") -> tuple[ParameterSet, bool]:
        """Read an upload and keep it; whether it was new, or there already under this name."""
        checked(name)
        essence = media_type.partition(";")[0].strip().lower()
        if essence not in MEDIA_TYPES:
            raise UnsupportedMediaType(media_type, MEDIA_TYPES)
        same = partial(self._same, name, upload)
        if (known := same()) is not None:
            return known, False
        tensors = read_parameters(upload.path, essence, self._limits, origin)
        try:
            return self._keep(name, tensors, upload), True
        except NameTaken:  # perhaps by the very same upload, a moment ago
            if (known := same()) is not None:
                return known, False
            raise

    def find(self, reference: str, *, pointer: str = "") -> ParameterSet:
        """The set with this id or name."""
        known = self._store.parameter_sets.find(reference) if possible(reference) else None
        if known is None:
            raise UnknownParameters(reference, pointer=pointer)
        return known

    def load(self, reference: str) -> Mapping[str, NDArray[np.generic]]:
        """The arrays by name, after a look that the file is the one that was stored."""
        stored = self._store.parameter_sets.stored(reference)
        if stored is None:
            raise UnknownParameters(reference)
        tensors, _ = map_tensors(self._artifacts.verified(stored.file, stored.sha256))
        return tensors

    def page(self, *, limit: int, after: str | None) -> Page[ParameterSet]:
        """Sets older than `after`, newest first."""
        return self._store.parameter_sets.page(limit=limit, after=after)

    def _same(self, name: str, upload: Upload) -> ParameterSet | None:
        stored, known = self._store.parameter_sets.stored(name), self._store.parameter_sets.find(name)
        if stored is None or known is None:
            return None
        if stored.upload_sha256 != upload.sha256:
            raise NameTaken(f"there is already a parameter set {name!r} with other content; choose another name")
        return known

    def _keep(self, name: str, tensors: Tensors, upload: Upload) -> ParameterSet:
        set_id = new_id("ps")
        file = f"parameters/{set_id}.safetensors"
        with self._artifacts.unfinished() as path:
            write_tensors(path, tensors, {})
            sha256 = self._artifacts.keep(path, file)
        stored = StoredFile(set_id, name, upload.bytes, upload.sha256, file, sha256)
        try:
            return self._store.parameter_sets.add(stored, {key: array.shape for key, array in tensors.items()})
        except BaseException:  # whatever it was: no row, no file
            self._artifacts.discard(file)
            raise
