"""LRU cache of models: each is read from disk once, and those that were not used for longest go first."""

from collections.abc import Callable
from pathlib import Path
from threading import Condition, Lock

from cachetools import LRUCache, cached

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
        # One that is larger than all the room counts as much as that, so that the others go and it stays.
        self._models: LRUCache[str, Model] = LRUCache(capacity, getsizeof=lambda model: min(size(model), capacity))
        self._lock = Lock()
        # One thread reads, the others that want the same model wait for it.
        self._get = cached(self._models, lambda sha256, path: sha256, self._lock, Condition(self._lock))(self._load)

    @property
    def bytes(self) -> int:
        """What the models take."""
        with self._lock:
            return sum(size(model) for model in self._models.values())

    def find(self, sha256: str) -> Model | None:
        """The model if it is in memory; waits for nothing."""
        with self._lock:
            return self._models.get(sha256)

    def get(self, sha256: str, path: Callable[[], Path]) -> Model:
        """The model of this file; `path` is asked only when it has to be read. Called from many threads."""
        return self._get(sha256, path)

    def _load(self, sha256: str, path: Callable[[], Path]) -> Model:
        model = load(path())
        with self._lock:
            self.loads += 1
        return model


def size(model: Model) -> int:
    """The bytes that a model takes."""
    arrays = (model.parameters.theta, model.parameters.averages, *model.preprocessor.statistics.values())
    return OVERHEAD + sum(array.nbytes for array in arrays)
