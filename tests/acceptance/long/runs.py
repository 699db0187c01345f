"""What every long run is: a name, a number of epochs to show progress by, and a verdict at the end."""

from collections.abc import Callable
from dataclasses import dataclass

Advance = Callable[[], None]


@dataclass(frozen=True)
class Verdict:
    """One claim of a publication, what came out here, and whether it holds."""

    claim: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class LongRun:
    """A published result; `run` calls back after every epoch."""

    name: str
    epochs: int
    run: Callable[[Advance], list[Verdict]]
