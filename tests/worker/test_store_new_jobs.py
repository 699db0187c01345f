"""Jobs that come at the same time are written in one transaction, and each has its own answer."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.worker.conftest import queue_job
from worker.domain.jobs import Job
from worker.errors import StorageFull, UnknownDataset
from worker.storage import tables
from worker.store import Draft, NewJob, TenantStore, job_records


def create(store: TenantStore, drafts: list[Draft]) -> list[object]:
    return list(store.new_jobs.create([NewJob(draft, store.principal) for draft in drafts], max_queued=99))


@pytest.fixture
def transactions(store: TenantStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An entry for every transaction that begins."""
    write, begun = store.database.write, []

    def counted() -> AbstractContextManager[sa.Connection]:
        begun.append("write")
        return write()

    monkeypatch.setattr(store.database, "write", counted)
    return begun


def test_what_comes_together_is_written_together(
    store: TenantStore, drafted: Callable[..., Draft], transactions: list[str]
) -> None:
    queue_job(store, drafted())
    transactions.clear()
    jobs = create(store, [drafted(priority=number % 3) for number in range(9)])
    assert transactions == ["write"]
    for job in jobs:
        before = [one for one in jobs if one.id < job.id and one.priority >= job.priority]
        assert job.queue_position == len(before) + 2  # the first of all is more urgent
        assert store.jobs.get(job.id) == replace(job, queue_position=store.jobs.get(job.id).queue_position)
    claimed = sorted(jobs, key=lambda job: store.jobs.get(job.id).queue_position)
    assert [job.priority for job in claimed] == [2, 2, 2, 1, 1, 1, 0, 0, 0]


def test_those_that_start_from_another_job_are_written_each_alone_and_answered_in_order(
    store: TenantStore, drafted: Callable[..., Draft], transactions: list[str]
) -> None:
    gone = "job_" + "0" * 32
    outcomes = create(store, [drafted(name="a"), drafted(checkpoints={gone: f"{gone}/1"}), drafted(name="b")])
    assert [getattr(outcome, "name", type(outcome).__name__) for outcome in outcomes] == ["a", "UnknownJob", "b"]
    assert len(transactions) == 2


def test_one_that_is_refused_spoils_nobody_else_s(store: TenantStore, drafted: Callable[..., Draft]) -> None:
    gone = drafted(datasets={"flowers": "ds_" + "0" * 32})
    assert [type(outcome) for outcome in create(store, [drafted(), gone, drafted()])] == [Job, UnknownDataset, Job]
    with store.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.jobs)) == 2
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.events)) == 2


def test_a_database_that_fails_fails_all_that_were_together_and_nobody_after_them(
    store: TenantStore, drafted: Callable[..., Draft], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = store.database.write, [True]

    def full() -> AbstractContextManager[sa.Connection]:
        if failures and failures.pop():
            raise StorageFull("the database's disk is full")
        return write()

    monkeypatch.setattr(store.database, "write", full)
    assert [type(outcome) for outcome in create(store, [drafted() for _ in range(4)])] == [StorageFull] * 4
    assert queue_job(store, drafted()).queue_position == 1


def test_behind_more_jobs_than_are_counted_there_is_no_position(
    store: TenantStore, drafted: Callable[..., Draft], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_records, "MOST_COUNTED", 3)
    jobs = [queue_job(store, drafted(), max_queued=99) for _ in range(5)]
    urgent = queue_job(store, drafted(priority=9), max_queued=99)
    assert [store.jobs.get(job.id).queue_position for job in (urgent, *jobs)] == [1, 2, 3, None, None, None]
