"""Jobs side by side: where their specs differ, what came out, and their curves over the same epochs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from engine.json_pointer import pointer as json_pointer
from worker.domain.jobs import Job
from worker.store import TenantStore

MOST_JOBS = 10
MOST_EPOCHS = 500  # of a curve: longer ones are shown every few epochs

UNSAID = ("/name", "/priority", "/time_limit_seconds")
"""Fields of a spec that change nothing about what is learned."""

BESIDE = ("epoch", "step", "seconds")
"""Members of a metrics row that are no curves."""


@dataclass(frozen=True)
class Difference:
    """A field of the spec, and its value in every job; None also where a job has no such field."""

    pointer: str
    values: tuple[JsonValue, ...]


@dataclass(frozen=True)
class Curves:
    """The metrics of all jobs over the same epochs."""

    epochs: tuple[int, ...]
    series: Mapping[str, tuple[tuple[float | None, ...], ...]]  # by metric: a value per job and epoch


@dataclass(frozen=True)
class Comparison:
    """Jobs in the order they were asked for; whatever has one entry per job keeps to it."""

    jobs: tuple[Job, ...]
    differences: tuple[Difference, ...]
    curves: Curves


def compare(store: TenantStore, jobs: Sequence[Job]) -> Comparison:
    """What the jobs have not in common."""
    longest = max((job.epoch for job in jobs), default=0)
    stride = max(1, -(-longest // MOST_EPOCHS))
    rows = [{int(row["epoch"] or 0): row for row in store.measurements.every(job.id, stride)} for job in jobs]
    epochs = tuple(sorted({epoch for known in rows for epoch in known}))
    names = dict.fromkeys(name for known in rows for row in known.values() for name in row if name not in BESIDE)
    series = {
        name: tuple(tuple(known.get(epoch, {}).get(name) for epoch in epochs) for known in rows) for name in names
    }
    return Comparison(tuple(jobs), tuple(_differences([job.spec for job in jobs])), Curves(epochs, series))


def _differences(specs: Sequence[Mapping[str, JsonValue]]) -> Iterator[Difference]:
    flat = [dict(_leaves("", dict(spec))) for spec in specs]
    for pointer in dict.fromkeys(pointer for leaves in flat for pointer in leaves):
        values = tuple(leaves.get(pointer) for leaves in flat)
        if pointer not in UNSAID and any(value != values[0] for value in values):
            yield Difference(pointer, values)


def _leaves(pointer: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    members: Iterator[tuple[object, JsonValue]]
    if isinstance(value, dict) and value:
        members = iter(value.items())
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        members = iter(enumerate(value))
    else:
        yield pointer, value
        return
    for token, member in members:
        yield from _leaves(pointer + json_pointer([str(token)]), member)
