"""What an attempt measures is kept in order and read in portions, on either database."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count

import numpy as np
import pytest

from worker.domain.jobs import Job
from worker.domain.measurements import DatedRow
from worker.errors import NoModel
from worker.store import NewEvent, TenantStore, training_log


@pytest.fixture
def measured(store: TenantStore, queued: Callable[[], Job]) -> Callable[[list[dict[str, float | int | None]]], str]:
    """Stores the rows under a new job."""

    def record(rows: list[dict[str, float | int | None]]) -> str:
        claim = store.work_items.claim(queued().id, "worker")
        assert claim is not None
        store.training_log.record(claim, 1, rows=rows, epoch=len(rows))
        return claim.item_id

    return record


def undated(rows: Iterable[DatedRow]) -> list[dict[str, object]]:
    """The rows as they were written."""
    return [{name: value for name, value in row.items() if name != "at"} for row in rows]


def test_pages_follow_one_another_without_gap_or_repeat(store: TenantStore, measured: Callable[..., str]) -> None:
    job_id = measured([{"epoch": epoch, "train_cost": 1 / epoch} for epoch in range(1, 11)])
    first = store.measurements.page(job_id, after=0, limit=4)
    second = store.measurements.page(job_id, after=4, limit=6)
    assert [row["epoch"] for row in (*first.data, *second.data)] == list(range(1, 11))
    assert (first.has_more, second.has_more) == (True, False)


def test_every_row_is_read_in_portions(store: TenantStore, measured: Callable[..., str]) -> None:
    rows = [{"epoch": epoch, "train_cost": 1.0, "dev_cost": None} for epoch in range(1, 2502)]
    job_id = measured(rows)
    assert undated(store.measurements.rows(job_id)) == rows
    assert undated(store.measurements.rows(job_id, after=2000)) == rows[2000:]


def test_thinning_keeps_the_ends_and_the_extremes(store: TenantStore, measured: Callable[..., str]) -> None:
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
def test_thinning_never_exceeds_the_points_asked_for(
    store: TenantStore, measured: Callable[..., str], points: int
) -> None:
    constant = [{"epoch": epoch, "train_cost": 1.0, "dev_cost": None} for epoch in range(1, 501)]
    thin = store.measurements.thinned(measured(constant), after=0, points=points)
    assert 2 <= len(thin) <= points


def test_a_short_series_is_not_thinned(store: TenantStore, measured: Callable[..., str]) -> None:
    rows = [{"epoch": epoch, "train_cost": None, "dev_cost": None} for epoch in range(1, 31)]
    job_id = measured(rows)
    assert undated(store.measurements.thinned(job_id, after=0, points=30)) == rows
    assert undated(store.measurements.thinned(job_id, after=10, points=30)) == rows[10:]


def test_a_row_has_the_time_when_its_epoch_ended(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = store.work_items.claim(queued().id, "worker")
    assert claim is not None
    ended = [time.monotonic() - age for age in (86_400.0, 60.0, 0.0)]
    rows = [{"epoch": epoch, "train_cost": 0.5} for epoch in (1, 2, 3)]
    store.training_log.record(claim, 1, rows=rows, ended=ended, epoch=3, epochs=9)
    page = store.measurements.page(claim.item_id, after=0, limit=3).data
    moments = [datetime.fromisoformat(str(row["at"])) for row in page]
    event = store.measurements.events(claim.item_id, after=0, limit=9).data[-1]
    for age, at in zip((86_400.0, 60.0, 0.0), moments, strict=True):
        assert (event.at - at).total_seconds() == pytest.approx(age, abs=1)
    assert all(str(row["at"]).endswith("Z") and at.tzinfo == UTC for row, at in zip(page, moments, strict=True))
    assert event.data == {"epoch": 3, "epochs": 9, "metrics": page[-1]}
    assert [row["at"] for row in store.measurements.thinned(claim.item_id, after=1, points=6)] == [
        row["at"] for row in page[1:]
    ]


def test_no_epoch_is_older_than_the_one_before_though_the_writer_is_slow(
    store: TenantStore, queued: Callable[[], Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = store.work_items.claim(queued().id, "worker")
    assert claim is not None
    end, looks = time.monotonic(), count()
    monkeypatch.setattr(training_log.time, "monotonic", lambda: end + next(looks))  # a second passes at every look
    rows = [{"epoch": epoch} for epoch in range(1, 6)]
    store.training_log.record(claim, 1, rows=rows, ended=[end] * len(rows), epoch=5)
    times = [str(row["at"]) for row in store.measurements.page(claim.item_id, after=0, limit=9).data]
    assert times == sorted(times)


def test_events_are_numbered_from_one_without_a_gap(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = store.work_items.claim(queued().id, "worker")
    assert claim is not None
    for batch in range(1, 6):
        store.training_log.record(claim, batch, events=[NewEvent("a", {"batch": batch}), NewEvent("b")])
    events = store.measurements.events(claim.item_id, after=0, limit=100).data
    assert [event.seq for event in events] == list(range(1, 13))
    assert [event.attempt for event in events] == [0] + [1] * 11
    page = store.measurements.events(claim.item_id, after=3, limit=2)
    assert ([event.seq for event in page.data], page.has_more) == ([4, 5], True)


def test_an_unfinished_job_has_no_model(store: TenantStore, queued: Callable[[], Job]) -> None:
    with pytest.raises(NoModel, match="queued"):
        store.measurements.model(queued().id)
