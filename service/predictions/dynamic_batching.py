"""Requests that arrive together are predicted together: one matrix product reads the weights once for all of them.

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

Answers = NDArray[np.floating]


class Waiting(NamedTuple):
    """Prepared inputs, and who waits for their answers."""

    X: NDArray[np.floating]
    future: "asyncio.Future[Answers]"


class DynamicBatcher:
    """Of one event loop; it is called from there only."""

    def __init__(self) -> None:
        self.products = 0
        self.requests = 0
        self._waiting: dict[int, tuple[Model, list[Waiting]]] = {}  # by the model's identity
        self._busy: set[int] = set()

    async def answers(self, model: Model, X: NDArray[np.floating]) -> Answers:
        """What `model.answers(X)` returns, to the bit."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(X, loop.create_future())
        key = id(model)
        if key in self._waiting:
            self._waiting[key][1].append(waiting)
        else:
            self._waiting[key] = (model, [waiting])
            if key not in self._busy:
                loop.call_soon(self._gather, key, 1, None)
        return await waiting.future

    def _gather(self, key: int, before: int, until: float | None) -> None:
        """Start unless the last turn brought more requests than there were before it."""
        loop, now = asyncio.get_running_loop(), len(self._waiting[key][1])
        until = until or loop.time() + MOST_SECONDS
        if now > before and loop.time() < until:
            loop.call_soon(self._gather, key, now, until)
        else:
            self._start(key)

    def _start(self, key: int) -> None:
        model, gathered = self._waiting.pop(key)
        gathered = [waiting for waiting in gathered if not waiting.future.done()]  # clients that left
        if not gathered:
            return
        self.products += 1
        self.requests += len(gathered)
        rows = sum(len(waiting.X) for waiting in gathered)
        if 2 * model.network.layout.weights * max(rows, 16) <= INLINE:
            settle(gathered, together(model, gathered))
            return
        self._busy.add(key)
        running = asyncio.get_running_loop().run_in_executor(None, together, model, gathered)
        running.add_done_callback(lambda done: self._finish(key, gathered, done))

    def _finish(self, key: int, gathered: Sequence[Waiting], done: "asyncio.Future[Answers]") -> None:
        self._busy.discard(key)
        if (error := done.exception()) is not None:
            for waiting in gathered:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
        else:
            settle(gathered, done.result())
        if key in self._waiting:
            self._start(key)


def together(model: Model, gathered: Sequence[Waiting]) -> Answers:
    """The answers to all inputs, one behind the other."""
    return model.answers(gathered[0].X if len(gathered) == 1 else np.concatenate([waiting.X for waiting in gathered]))


def settle(gathered: Sequence[Waiting], answers: Answers) -> None:
    """Hand everybody the answers to their inputs."""
    start = 0
    for waiting in gathered:
        end = start + len(waiting.X)
        if not waiting.future.done():
            waiting.future.set_result(answers[start:end])
        start = end
