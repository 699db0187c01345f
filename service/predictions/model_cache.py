"""Models in memory: each is read from disk once, and those that were not used for longest go first."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from engine import Model, load

MIB = 1024**2
OVERHEAD = 64 * 1024
"""Bytes that a model takes beside its arrays, about: so that thousands of tiny ones do not count for nothing."""


class Predictors:
    """The most recently used models by the SHA-256 of their file: what a key means never changes.

    All of them together take `capacity` bytes at most, but for one that is larger on its own.
    """

    def __init__(self, capacity: int = 512 * MIB) -> None:
        self.capacity = capacity
        self.loads = 0
        self.bytes = 0
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._loading: dict[str, Lock] = {}
        self._lock = Lock()

    def held(self, sha256: str) -> Model | None:
        """The model if it is in memory; waits for nothing."""
        with self._lock:
            model = self._models.get(sha256)
            if model is not None:
                self._models.move_to_end(sha256)
            return model

    def get(self, sha256: str, path: Callable[[], Path]) -> Model:
        """The model of this file; `path` is asked only when it has to be read. Called from many threads."""
        with self._lock:
            if sha256 in self._models:
                self._models.move_to_end(sha256)
                return self._models[sha256]
            loading = self._loading.setdefault(sha256, Lock())
        with loading:  # one thread reads, the others wait for it and then find the model
            if (model := self.held(sha256)) is not None:
                return model
            try:
                model = load(path())
            finally:
                with self._lock:
                    self._loading.pop(sha256, None)
            with self._lock:
                self._take(sha256, model)
            return model

    def _take(self, sha256: str, model: Model) -> None:
        self.loads += 1
        self.bytes += size(model)
        self._models[sha256] = model
        while self.bytes > self.capacity and len(self._models) > 1:
            _, oldest = self._models.popitem(last=False)
            self.bytes -= size(oldest)


def size(model: Model) -> int:
    """The bytes that a model takes."""
    arrays = (model.parameters.theta, model.parameters.averages, *model.preprocessor.statistics.values())
    return OVERHEAD + sum(array.nbytes for array in arrays)
