"""Trials, one after another: mostly of tables, now and then of arrays or pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from tests.roads import array_trial
from tests.roads.array_trial import ArrayTrial
from tests.roads.server import Server
from tests.roads.trial import Trial

ARRAYS_EVERY = 5  # models


def trials(
    server: Server, seeds: Sequence[int], folder: Path | None, kinds: Sequence[str] = ()
) -> Iterator[Trial | ArrayTrial]:
    """A trial for each seed; their names on the service are new ones."""
    prefix = f"roads-{uuid4().hex[:8]}"
    arrays = [kind for kind in kinds if kind in array_trial.KINDS]
    for seed in seeds:
        del server.asked[:]
        if arrays or (not kinds and seed % ARRAYS_EVERY == ARRAYS_EVERY - 1):
            yield ArrayTrial(server, seed, folder, arrays[0] if arrays else None, prefix)
        else:
            yield Trial(server, seed, folder, kinds, prefix)
