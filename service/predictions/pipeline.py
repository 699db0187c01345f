"""The prediction pipeline: every request for predictions goes this way, whatever its form.

The model is resolved, the rows are read, small requests are batched dynamically and large ones go through a thread, and
the predictions are written in the form that was asked for.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from fastapi.concurrency import run_in_threadpool

from engine import Model, RowError
from engine.data.encoding.row_reading import NO_MARKS, RowMarks
from service.http.problems import RequestRefused
from service.predictions.dynamic_batching import DynamicBatcher
from service.predictions.feature_samples import FeatureSamples
from service.predictions.formats import Predicted, Rows
from service.predictions.resolution import Resolved, Resolver
from service.predictions.strictness import refusal_of_gaps

SMALL = 32 * 1024
"""Bytes of a body that is answered in the event loop: handing it to a thread takes longer than the answer."""

Content = TypeVar("Content")
Content_co = TypeVar("Content_co", covariant=True)


class Exchange(Protocol[Content_co]):
    """What is particular to one request: how its rows are read and refused, and how its predictions are written."""

    def rows(self, model: Model) -> Rows:
        """The rows of the request; raises RequestRefused, DataError."""

    def refusal(self, model: Model, rows: Rows, error: RowError) -> RequestRefused:
        """What is said of rows of which one was met that cannot be used."""

    def content(self, resolved: Resolved, predicted: Predicted, marks: RowMarks) -> Content_co:
        """The predictions as they go out; raises RowError for what is not finite."""


class PredictionPipeline:
    """Of one event loop."""

    def __init__(self, resolver: Resolver, batcher: DynamicBatcher, samples: FeatureSamples, max_bytes: int) -> None:
        self.resolver = resolver
        self.max_bytes = max_bytes  # of a request
        self._batcher = batcher
        self._samples = samples

    async def predict(
        self, resolved: Resolved, exchange: Exchange[Content], size: int, *, decodes: bool = False
    ) -> Content:
        """What the model answers to a request of so many bytes; `decodes` says that there may be pictures in it."""
        if size > SMALL or decodes:
            return await run_in_threadpool(self._whole, resolved, exchange)
        rows = exchange.rows(resolved.model)
        X, marks = make_of(rows, resolved.model.read, exchange, resolved)
        return self._written(resolved, exchange, rows, await self._batcher.predict(resolved.model, X), marks)

    def _whole(self, resolved: Resolved, exchange: Exchange[Content]) -> Content:
        """All of a large request, from its bytes to the answer's, in one thread."""
        rows = exchange.rows(resolved.model)
        predicted, marks = make_of(rows, resolved.model.answers_to, exchange, resolved)
        return self._written(resolved, exchange, rows, predicted, marks)

    def _written(
        self, resolved: Resolved, exchange: Exchange[Content], rows: Rows, predicted: Predicted, marks: RowMarks
    ) -> Content:
        content = exchange.content(resolved, predicted, marks)
        if resolved.sampled:  # only now: what could not be answered says nothing about those who ask
            self._samples.offer(resolved.backend, resolved.name, resolved.model, rows)
        return content


def make_of(
    rows: Rows, make: Callable[[Rows], tuple[Predicted, RowMarks]], exchange: Exchange[object], resolved: Resolved
) -> tuple[Predicted, RowMarks]:
    """What is made of rows; refused in the words of the exchange where one cannot be used."""
    try:
        made, marks = make(rows)
    except RowError as error:
        raise exchange.refusal(resolved.model, rows, error) from error
    if marks is not NO_MARKS and resolved.serving.strict and (gaps := refusal_of_gaps(marks)) is not None:
        raise exchange.refusal(resolved.model, rows, gaps)
    return made, marks
