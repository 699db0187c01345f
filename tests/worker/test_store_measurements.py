"""What an attempt measures is kept in order and read in portions, on either database."""

from collections.abc import Callable

import numpy as np
import pytest

from worker.errors import NoModel
from worker.jobs import Job
from worker.store import Note, Store


@pytest.fixture
def measured(store: Store, queued: Callable[[], Job]) -> Callable[[list[dict[str, float | int | None]]], str]:
    """Stores the rows under a new job."""

    def record(rows: list[dict[str, float | int | None]]) -> str:
        claim = store.claims.claim(queued().id, "worker")
        assert claim is not None
        store.claims.record(claim, 1, rows=rows, epoch=len(rows))
        return claim.job_id

    return record


def test_pages_follow_one_another_without_gap_or_repeat(store: Store, measured: Callable[..., str]) -> None:
    job_id = measured([{"epoch": epoch, "train_cost": 1 / epoch} for epoch in range(1, 11)])
    first = store.measurements.page(job_id, after=0, limit=4)
    second = store.measurements.page(job_id, after=4, limit=6)
    assert [row["epoch"] for row in (*first.data, *second.data)] == list(range(1, 11))
    assert (first.has_more, second.has_more) == (True, False)


def test_every_row_is_read_in_portions(store: Store, measured: Callable[..., str]) -> None:
    rows = [{"epoch": epoch, "train_cost": 1.0, "dev_cost": None} for epoch in range(1, 2502)]
    assert list(store.measurements.rows(measured(rows))) == rows


def test_thinning_keeps_the_ends_and_the_extremes(store: Store, measured: Callable[..., str]) -> None:
    costs = np.random.default_rng(0).normal(size=(3000, 2))
    costs[1234, 0], costs[77, 1], costs[2345, 1] = 100, -100, 50
    rows = [
        {"epoch": epoch, "train_cost": float(train), "dev_cost": float(dev)}
        for epoch, (train, dev) in enumerate(costs, 1)
    ]
    thin = store.measurements.thinned(measured(rows), after=0, points=50)
    assert len(thin) <= 50
    epochs = [int(row["epoch"] or 0) for row in thin]
    assert epochs == sorted(epochs)
    assert (epochs[0], epochs[-1]) == (1, 3000)
    for column, name in enumerate(("train_cost", "dev_cost")):
        kept = [float(row[name] or 0) for row in thin]
        assert (min(kept), max(kept)) == (costs[:, column].min(), costs[:, column].max())


@pytest.mark.parametrize("points", [6, 10, 100])
def test_thinning_never_exceeds_the_points_asked_for(store: Store, measured: Callable[..., str], points: int) -> None:
    constant = [{"epoch": epoch, "train_cost": 1.0, "dev_cost": None} for epoch in range(1, 501)]
    thin = store.measurements.thinned(measured(constant), after=0, points=points)
    assert 2 <= len(thin) <= points


def test_a_short_series_is_not_thinned(store: Store, measured: Callable[..., str]) -> None:
    rows = [{"epoch": epoch, "train_cost": None, "dev_cost": None} for epoch in range(1, 31)]
    job_id = measured(rows)
    assert list(store.measurements.thinned(job_id, after=0, points=30)) == rows
    assert list(store.measurements.thinned(job_id, after=10, points=30)) == rows[10:]


def test_events_are_numbered_from_one_without_a_gap(store: Store, queued: Callable[[], Job]) -> None:
    claim = store.claims.claim(queued().id, "worker")
    assert claim is not None
    for batch in range(1, 6):
        store.claims.record(claim, batch, notes=[Note("a", {"batch": batch}), Note("b")])
    events = store.measurements.events(claim.job_id, after=0, limit=100).data
    assert [event.seq for event in events] == list(range(1, 13))
    assert [event.attempt for event in events] == [0] + [1] * 11
    page = store.measurements.events(claim.job_id, after=3, limit=2)
    assert ([event.seq for event in page.data], page.has_more) == ([4, 5], True)


def test_an_unfinished_job_has_no_model(store: Store, queued: Callable[[], Job]) -> None:
    with pytest.raises(NoModel, match="queued"):
        store.measurements.model(queued().id)
