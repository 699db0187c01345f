"""Jobs that come at the same time are written in one transaction, and each has its own answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import Event

import pytest
import sqlalchemy as sa

from worker.domain.jobs import Job
from worker.errors import StorageFull, UnknownDataset
from worker.storage import tables
from worker.store import Draft, TenantStore, job_records
from worker.store.admission import Batch


@pytest.fixture
def crowd(store: TenantStore, drafted: Callable[..., Draft], monkeypatch: pytest.MonkeyPatch):
    """Has drafts come while another one's transaction is under way; what became of them, and of how many each."""

    def meet(drafts: list[Draft]) -> tuple[list[object], list[int]]:
        entered, go, sizes = Event(), Event(), []
        write = Batch.write

        def slow(batch: Batch) -> None:
            sizes.append(len(batch._jobs))
            entered.set()
            assert go.wait(60)
            write(batch)

        monkeypatch.setattr(Batch, "write", slow)

        def outcome(draft: Draft) -> object:
            try:
                return store.jobs.create(draft, max_queued=99)
            except (UnknownDataset, StorageFull) as error:
                return error

        with ThreadPoolExecutor(1 + len(drafts)) as pool:
            first = pool.submit(outcome, drafted())
            assert entered.wait(60)
            rest = [pool.submit(outcome, draft) for draft in drafts]
            while len(store.jobs._admission._requests) < len(drafts):
                assert not first.done()
            go.set()
            assert isinstance(first.result(), Job)
            return [each.result() for each in rest], sizes

    return meet


def test_what_comes_together_is_written_together(store: TenantStore, drafted: Callable[..., Draft], crowd) -> None:
    jobs, sizes = crowd([drafted(priority=number % 3) for number in range(9)])
    assert sizes == [1, 9]
    for job in jobs:
        before = [one for one in jobs if one.id < job.id and one.priority >= job.priority]
        assert job.queue_position == len(before) + 2  # the first of all is more urgent
        assert store.jobs.get(job.id) == replace(job, queue_position=store.jobs.get(job.id).queue_position)
    claimed = sorted(jobs, key=lambda job: store.jobs.get(job.id).queue_position)
    assert [job.priority for job in claimed] == [2, 2, 2, 1, 1, 1, 0, 0, 0]


def test_one_that_is_refused_spoils_nobody_else_s(store: TenantStore, drafted: Callable[..., Draft], crowd) -> None:
    gone = drafted(datasets={"flowers": "ds_" + "0" * 32})
    outcomes, sizes = crowd([drafted(), gone, drafted()])
    assert sizes == [1, 2]
    assert [type(outcome) for outcome in outcomes] == [Job, UnknownDataset, Job]
    with store.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.jobs)) == 3
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.events)) == 3


def test_a_database_that_fails_fails_all_that_were_together_and_nobody_after_them(
    store: TenantStore, drafted: Callable[..., Draft], crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = store.database.write, [False, True]

    def full() -> AbstractContextManager[sa.Connection]:
        if failures and failures.pop(0):
            raise StorageFull("the database's disk is full")
        return write()

    monkeypatch.setattr(store.database, "write", full)
    outcomes, sizes = crowd([drafted() for _ in range(4)])
    assert sizes == [1]
    assert [type(outcome) for outcome in outcomes] == [StorageFull] * 4
    job = store.jobs.create(drafted(), max_queued=99)
    assert job.queue_position == 2


def test_behind_more_jobs_than_are_counted_there_is_no_position(
    store: TenantStore, drafted: Callable[..., Draft], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_records, "MOST_COUNTED", 3)
    jobs = [store.jobs.create(drafted(), max_queued=99) for _ in range(5)]
    urgent = store.jobs.create(drafted(priority=9), max_queued=99)
    assert [store.jobs.get(job.id).queue_position for job in (urgent, *jobs)] == [1, 2, 3, None, None, None]
