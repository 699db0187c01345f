"""What models are asked about, sampled while requests come in, for those models whose drift is watched.

A process keeps a reservoir of each hour and writes it down every few seconds; the processes share nothing else.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Event, Lock, Thread
from uuid import uuid4

import numpy as np
import structlog
from pydantic import JsonValue

from engine import Model
from engine.data.encoding.arrays import array_sent, holds_value
from engine.data.encoding.encoders import AnyEncoder, TensorEncoder
from service.predictions.formats import Rows
from worker.errors import StorageFull, StoreUnavailable
from worker.workspace import Workspace

HOUR = 3600.0
MOST_ROWS = 1000  # of a model and an hour
MOST_VALUES = 200_000  # of these rows together
FLUSH_SECONDS = 5.0


@dataclass
class Reservoir:
    """A sample of equal chances (Vitter's algorithm R) of the rows of an hour."""

    workspace: Workspace  # of one of those who ask
    since: float
    columns: tuple[str, ...]
    most: int
    seen: int = 0
    rows: list[list[JsonValue]] = field(default_factory=list)
    written: int = -1  # how many had been seen when it was last written down

    def place(self, random: Random) -> int | None:
        """Where the next row goes; None: nowhere."""
        self.seen += 1
        if len(self.rows) < self.most:
            self.rows.append([])
            return len(self.rows) - 1
        place = random.randrange(self.seen)
        return place if place < self.most else None


class FeatureSamples:
    """The reservoirs of this process; thread-safe."""

    def __init__(self, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._flush_seconds = flush_seconds
        self._process = uuid4().hex
        self._random = Random()  # noqa: S311 - a sample, no secret
        self._reservoirs: dict[tuple[str, str], Reservoir] = {}  # by tenant and name
        self._lock = Lock()
        self._writing = Lock()
        self._closed = Event()
        self._thread: Thread | None = None
        self._log = structlog.get_logger("feature_samples")

    def offer(self, workspace: Workspace, name: str, model: Model, rows: Rows) -> None:
        """Take some of these rows, which the model has just answered."""
        with self._lock:
            reservoir = self._reservoir(workspace, name, model)
            for number in range(len(rows)):
                if (place := reservoir.place(self._random)) is not None:
                    reservoir.rows[place] = values(model, rows, number)
            if self._thread is None and not self._closed.is_set():
                self._thread = Thread(target=self._run, name="feature-samples", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write down what is new."""
        with self._writing:
            with self._lock:
                due = [(key, one, one.seen, list(one.rows)) for key, one in self._reservoirs.items()]
            for key, reservoir, seen, rows in due:
                if reservoir.written == seen:
                    continue
                wanted = reservoir.workspace.models.keep_feature_sample(
                    key[1], self._process, reservoir.since, seen=seen, columns=reservoir.columns, rows=rows
                )
                reservoir.written = seen
                if not wanted:
                    with self._lock:
                        self._reservoirs.pop(key, None)

    def close(self) -> None:
        """Write down what is left."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(self._flush_seconds)
            self._try_flush()

    def _reservoir(self, workspace: Workspace, name: str, model: Model) -> Reservoir:
        """That of this hour and this model's features."""
        since, columns = time.time() // HOUR * HOUR, tuple(model.preprocessor.shapes)
        key = (workspace.principal.tenant, name)
        known = self._reservoirs.get(key)
        if known is None or (known.since, known.columns) != (since, columns):
            width = sum(max(1, int(np.prod(shape))) for shape in model.preprocessor.shapes.values())
            known = Reservoir(workspace, since, columns, max(1, min(MOST_ROWS, MOST_VALUES // width)))
            self._reservoirs[key] = known
        return known

    def _run(self) -> None:
        while not self._closed.wait(self._flush_seconds):
            self._try_flush()

    def _try_flush(self) -> None:
        try:
            self.flush()
        except (StoreUnavailable, StorageFull) as error:  # the sample stays, and is written down later
            self._log.warning("sample_not_stored", error=str(error))


def values(model: Model, rows: Rows, number: int) -> list[JsonValue]:
    """A row as its features' values in order, as JSON has them; a picture is the numbers that were made of it."""
    encoders = model.preprocessor.encoders
    row = rows[number]
    if isinstance(row, Mapping):
        return [_value(encoder, row.get(encoder.name)) for encoder in encoders]
    flat: Sequence[JsonValue] = np.asarray(row).reshape(-1).tolist() if isinstance(row, np.ndarray) else row
    (first, *others) = encoders
    if isinstance(first, TensorEncoder) and not others and not holds_value(flat, first):  # the array itself
        return [list(flat)]
    if len(flat) == len(encoders):
        return [_value(encoder, value) for encoder, value in zip(encoders, flat, strict=True)]
    found: list[JsonValue] = []
    start = 0
    for encoder in encoders:  # numbers and arrays, flat, one after the other
        size = int(np.prod(encoder.shape))
        found.append(list(flat[start : start + size]) if encoder.shape else flat[start])
        start += size
    return found


def _value(encoder: AnyEncoder, value: JsonValue) -> JsonValue:
    if isinstance(encoder, TensorEncoder) and isinstance(value, str | bytes):
        numbers: list[JsonValue] = array_sent(0, encoder.name, value, encoder).tolist()
        return numbers
    return value
