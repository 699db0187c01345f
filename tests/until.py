"""Waiting for what another thread or process does: as short as can be, and never for ever."""

from collections.abc import Callable
from time import monotonic, sleep

CEILING = 120.0  # seconds; what is right takes a hundredth of it, and on a busy machine a tenth


def until(condition: Callable[[], object], seconds: float = CEILING) -> None:
    """Return once the condition is true; a deadline makes its absence a failure."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds:g} s"
        sleep(0.01)
