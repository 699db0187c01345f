"""Dynamic batching: requests that arrive together share one matrix product, which reads the weights once for all.

A request alone goes alone and at once, after the event loop's turn in which it was read. Where others were read in that
turn, one more turn is taken as long as each brings further ones, for a millisecond at most. A product too long for the
event loop runs in a thread; what arrives meanwhile goes together when it is done.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import Model

MOST_SECONDS = 0.001  # that turns are taken for
INLINE = 20_000_000
"""Floating-point operations that the event loop may spend on a product: half a millisecond on one core."""

Predicted = NDArray[np.floating]


class Waiting(NamedTuple):
    """Prepared inputs, and who waits for what is predicted from them."""

    X: NDArray[np.floating]
    future: "asyncio.Future[Predicted]"


class DynamicBatcher:
    """Of one event loop; it is called from there only."""

    def __init__(self) -> None:
        self.products = 0
        self.requests = 0
        self._waiting: dict[int, tuple[Model, list[Waiting]]] = {}  # by the model's identity
        self._busy: set[int] = set()

    async def predict(self, model: Model, X: NDArray[np.floating]) -> Predicted:
        """What `model.answers(X)` returns, to the bit."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(X, loop.create_future())
        key = id(model)
        if key in self._waiting:
            self._waiting[key][1].append(waiting)
        else:
            self._waiting[key] = (model, [waiting])
            if key not in self._busy:
                loop.call_soon(self._wait_or_start, key, 1, None)
        return await waiting.future

    def _wait_or_start(self, key: int, before: int, until: float | None) -> None:
        """Start unless the last turn brought more requests than there were before it."""
        now = len(self._waiting[key][1])
        if now > before:
            loop = asyncio.get_running_loop()
            until = until or loop.time() + MOST_SECONDS
            if loop.time() < until:
                loop.call_soon(self._wait_or_start, key, now, until)
                return
        self._start(key)

    def _start(self, key: int) -> None:
        model, batch = self._waiting.pop(key)
        batch = [waiting for waiting in batch if not waiting.future.done()]  # clients that left
        if not batch:
            return
        self.products += 1
        self.requests += len(batch)
        rows = len(batch[0].X) if len(batch) == 1 else sum(len(waiting.X) for waiting in batch)
        if 2 * model.network.layout.weights * max(rows, 16) <= INLINE:
            hand_out(batch, predict_together(model, batch))
            return
        self._busy.add(key)
        running = asyncio.get_running_loop().run_in_executor(None, predict_together, model, batch)
        running.add_done_callback(lambda done: self._finish(key, batch, done))

    def _finish(self, key: int, batch: Sequence[Waiting], done: "asyncio.Future[Predicted]") -> None:
        self._busy.discard(key)
        if (error := done.exception()) is not None:
            for waiting in batch:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
        else:
            hand_out(batch, done.result())
        if key in self._waiting:
            self._start(key)


def predict_together(model: Model, batch: Sequence[Waiting]) -> Predicted:
    """What is predicted from all inputs, one behind the other."""
    return model.answers(batch[0].X if len(batch) == 1 else np.concatenate([waiting.X for waiting in batch]))


def hand_out(batch: Sequence[Waiting], predicted: Predicted) -> None:
    """Hand everybody what is predicted from their inputs."""
    start = 0
    for waiting in batch:
        end = start + len(waiting.X)
        if not waiting.future.done():
            waiting.future.set_result(predicted[start:end])
        start = end
