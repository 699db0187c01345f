"""A kind of work: what is done with an item of that kind. How a worker holds on to the item is `Attempt`'s."""

import math
from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import ClassVar, Generic, TypeAlias, TypeVar

from worker.domain.work_items import Document, Failure, Status, WorkItem
from worker.settings import Queue
from worker.work.context import Context

Outcome = TypeVar("Outcome")
Running: TypeAlias = Generator[Document | None, None, Outcome]
"""What is yielded says how far the work is, None that it goes on; what is returned is the outcome."""


class Kind(ABC, Generic[Outcome]):
    """One attempt at an item: a subclass says what is made, and adds what it knows about ends.

    `run` calls `context.heed()` now and then. An item that is taken up again has its last `context.save()` in
    `item.progress`; the outcome of a kind that keeps nothing elsewhere is its result, as JSON.
    """

    name: ClassVar[str]
    what: ClassVar[str]  # in sentences
    queue: ClassVar[Queue] = "cpu"  # where items wait that name no other
    priority: ClassVar[int] = 5

    @abstractmethod
    def run(self, item: WorkItem, context: Context) -> Running[Outcome]:
        """Do the work."""

    def complete(self, outcome: Outcome, context: Context) -> Status:
        """Store the outcome and the end of the item in one transaction; called again where the store was away."""
        return context.store.work_items.succeed(context.claim, outcome)  # type: ignore[arg-type]  # JSON: see the class

    def seconds_left(self, item: WorkItem, context: Context) -> float:
        """What an attempt may take by the item's own limit."""
        return math.inf

    def explain(self, error: Exception) -> Failure | None:
        """What this kind says of an error, where that is more than the error's own words."""
        return None

    def advise(self, failure: Failure) -> Failure:
        """The failure with the field to change, where that is known."""
        return failure

    def save(self, outcome: Outcome, context: Context) -> None:
        """Put what the outcome consists of beside the store in place; raises StoreError."""

    def flush(self, context: Context) -> None:
        """Write down what has gathered, before the item's end; raises StoreError."""

    def discard(self, outcome: Outcome, context: Context) -> None:
        """Remove what was made when the store does not know of it."""

    def tidy(self, context: Context) -> None:
        """Remove what nobody needs after the attempt."""
