"""Models in memory: each is read from disk once and kept while it is used."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock

from pydantic import JsonValue

from engine import Model, RowError, load
from service.problems import Fault, RequestRefused

Row = Mapping[str, JsonValue] | Sequence[JsonValue]

MOST_FAULTS = 20


class Predictors:
    """The most recently used models by job; a job's model never changes, so nothing here grows stale."""

    def __init__(self, capacity: int = 8) -> None:
        self.capacity = capacity
        self.loads = 0
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._loading: dict[str, Lock] = {}
        self._lock = Lock()

    def get(self, job_id: str, path: Callable[[], Path]) -> Model:
        """The job's model; `path` is asked only when it has to be read. Called from many threads."""
        with self._lock:
            if job_id in self._models:
                self._models.move_to_end(job_id)
                return self._models[job_id]
            loading = self._loading.setdefault(job_id, Lock())
        with loading:  # one thread reads, the others wait for it and then find the model
            with self._lock:
                if job_id in self._models:
                    return self._models[job_id]
            try:
                model = load(path())
            finally:
                with self._lock:
                    self._loading.pop(job_id, None)
            with self._lock:
                self.loads += 1
                self._models[job_id] = model
                while len(self._models) > self.capacity:
                    self._models.popitem(last=False)
            return model


def predictions(model: Model, rows: Sequence[Row]) -> list[dict[str, object]]:
    """A prediction per row; raises `RequestRefused` that names every bad row, not just the first."""
    try:
        return model.predict(rows)
    except RowError as error:
        raise RequestRefused(
            422,
            error.code,
            "A row cannot be used",
            str(error),
            _faults(model, rows) or [_fault(error, error.row)],
        ) from error


def _faults(model: Model, rows: Sequence[Row]) -> list[Fault]:
    faults: list[Fault] = []
    for index, row in enumerate(rows):
        try:
            model.preprocessor.rows([row])
        except RowError as error:
            faults.append(_fault(error, index))
            if len(faults) == MOST_FAULTS:
                break
    return faults


def _fault(error: RowError, index: int) -> Fault:
    # Alone, every row is row 0: the pointer's index is put right.
    field = error.pointer.removeprefix(f"/rows/{error.row}")
    return Fault(pointer=f"/rows/{index}{field}", part="body", detail=error.detail)
