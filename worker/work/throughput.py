"""The throughput of a training: examples per second, and the time that is left at this speed."""

import time

import engine
from worker.domain.jobs import Progress


class Throughput:
    """Since the run, or its last change, began."""

    def __init__(self) -> None:
        self._since: tuple[float, int] | None = None

    def restart(self) -> None:
        """Count from the next measurement on."""
        self._since = None

    def measure(self, progress: engine.Progress) -> Progress:
        """The progress as the store has it."""
        now = time.monotonic()
        began, examples = self._since = self._since or (now, progress.examples)
        seen = progress.examples - examples
        rate = seen / (now - began) if seen and now > began else None
        left = (1 - progress.fraction) * progress.examples / progress.fraction if progress.fraction else None
        return Progress(
            step=progress.step,
            steps=progress.steps,
            examples_per_second=rate,
            eta_seconds=left / rate if rate and left is not None else None,
            at_most=progress.patience is not None,
            epochs_since_best=progress.epochs_since_best,
            patience=progress.patience,
        )
