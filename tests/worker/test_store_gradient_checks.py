"""Gradient checks are queued, claimed and answered like jobs, and outlive the attempts at theirs."""

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from worker.domain.gradient_checks import GradientCheck
from worker.domain.ids import new_id
from worker.domain.jobs import Job
from worker.domain.work_items import Claim, Failure, Status
from worker.errors import LeaseLost, QueueFull, UnknownCheck, UnknownJob
from worker.store import SavedModel, TenantStore

WANTED = {"at": "start", "epsilon": 1e-7, "sided": "two", "sample": 1000, "seed": 0}
REPORT = {"at": "start", "difference": 1e-9, "verdict": "great", "tensors": []}


@pytest.fixture
def asked(store: TenantStore, queued: Callable[[], Job]) -> Callable[..., GradientCheck]:
    """Asks for a check, by default of a new job."""

    def ask(job: Job | None = None) -> GradientCheck:
        return store.gradient_checks.create((job or queued()).id, WANTED, max_queued=1000)

    return ask


def taken(store: TenantStore, check: GradientCheck) -> Claim:
    claim = store.work_items.claim(str(check.item_id), "worker")
    assert claim is not None
    return claim


def training(store: TenantStore, job: Job) -> Claim:
    claim = store.work_items.claim(job.id, "trainer")
    assert claim is not None
    return claim


def types(store: TenantStore, job_id: str) -> list[str]:
    return [event.type for event in store.measurements.events(job_id, after=0, limit=99).data]


def test_checks_that_are_asked_for_at_once_have_numbers_of_their_own(
    store: TenantStore, queued: Callable[[], Job], asked: Callable[..., GradientCheck]
) -> None:
    job = queued()
    claim = training(store, job)
    threads = [threading.Thread(target=asked, args=(job,)) for _ in range(5)]
    threads.append(threading.Thread(target=lambda: store.training_log.record(claim, 1, reports=[REPORT, REPORT])))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = store.gradient_checks.page(job.id, after=0, limit=99)
    assert [check.number for check in page.data] == [1, 2, 3, 4, 5, 6, 7]
    assert sum(check.requested is None for check in page.data) == 2


def test_the_job_s_own_reports_and_the_checks_asked_for_stand_in_one_list(
    store: TenantStore, queued: Callable[[], Job], asked: Callable[..., GradientCheck]
) -> None:
    job = queued()
    first = asked(job)
    store.training_log.record(training(store, job), 1, reports=[REPORT])
    last = asked(job)
    store.gradient_checks.succeed(taken(store, last), REPORT)
    checks = store.gradient_checks.page(job.id, after=0, limit=9).data
    assert [(check.number, check.state, check.requested, check.report) for check in checks] == [
        (first.number, Status.QUEUED, WANTED, None),
        (2, Status.SUCCEEDED, None, REPORT),
        (last.number, Status.SUCCEEDED, WANTED, REPORT),
    ]
    page = store.gradient_checks.page(job.id, after=1, limit=1)
    assert ([check.number for check in page.data], page.has_more) == ([2], True)


def test_a_job_that_starts_over_keeps_what_was_asked_for_under_its_number(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job], asked: Callable[..., GradientCheck]
) -> None:
    job = queued()
    lost = expiring.work_items.claim(job.id, "lost")
    assert lost is not None
    store.training_log.record(lost, 1, reports=[REPORT])
    check = asked(job)
    store.work_items.release(lost, "worker_shutdown")
    store.training_log.record(training(store, job), 1, reports=[REPORT])
    kept, again = store.gradient_checks.page(job.id, after=0, limit=9).data
    assert (kept, again.number, again.requested) == (check, check.number + 1, None)


def test_an_attempt_that_was_overtaken_keeps_no_report(
    store: TenantStore, expiring: TenantStore, asked: Callable[..., GradientCheck]
) -> None:
    check = asked()
    old = expiring.work_items.claim(str(check.item_id), "sleeper")
    assert old is not None
    new = taken(store, check)
    with pytest.raises(LeaseLost):
        store.gradient_checks.succeed(old, REPORT)
    assert store.gradient_checks.get(check.job_id, check.number).report is None
    assert types(store, check.job_id) == ["state"]
    for _ in range(2):  # the second time its answer was lost
        store.gradient_checks.succeed(new, REPORT)
    assert types(store, check.job_id) == ["state", "gradients_checked"]


def test_the_story_of_a_job_tells_of_a_check_only_until_the_job_is_done(
    store: TenantStore, queued: Callable[[], Job], asked: Callable[..., GradientCheck]
) -> None:
    job = queued()
    claim = training(store, job)
    store.gradient_checks.succeed(taken(store, asked(job)), REPORT)
    (*_, event) = store.measurements.events(job.id, after=0, limit=9).data
    assert (event.type, event.data) == (
        "gradients_checked",
        {"at": "start", "difference": 1e-9, "verdict": "great", "number": 1},
    )
    store.training_log.record(claim, 1, rows=[{"epoch": 1, "train_cost": 0.5}])  # the attempt goes on undisturbed
    store.work_items.fail(taken(store, asked(job)), Failure("timeout", "too long"))
    store.training_log.finish(claim, SavedModel("models/x", "a" * 64, "b" * 64), {}, stop_reason="completed")
    before = store.jobs.get(job.id)
    store.gradient_checks.succeed(taken(store, asked(job)), REPORT)
    assert store.jobs.get(job.id) == before
    assert types(store, job.id) == ["state", "state", "gradients_checked", "state"]


def test_what_was_never_asked_for_is_unknown(store: TenantStore, queued: Callable[[], Job]) -> None:
    job = queued()
    with pytest.raises(UnknownCheck, match=f"{job.id} has no gradient check 1"):
        store.gradient_checks.get(job.id, 1)
    assert store.gradient_checks.page(job.id, after=0, limit=9).data == ()
    with pytest.raises(UnknownJob):
        store.gradient_checks.create(new_id("job"), WANTED, max_queued=9)
    with pytest.raises(UnknownJob):
        store.gradient_checks.page(new_id("job"), after=0, limit=9)


def test_no_more_may_wait_than_are_allowed(
    store: TenantStore, queued: Callable[[], Job], asked: Callable[..., GradientCheck]
) -> None:
    job = queued()
    check = asked(job)
    with pytest.raises(QueueFull):
        store.gradient_checks.create(job.id, WANTED, max_queued=1)
    taken(store, check)
    assert store.gradient_checks.create(job.id, WANTED, max_queued=1).number == 2


def test_checks_go_with_their_job(store: TenantStore, asked: Callable[..., GradientCheck]) -> None:
    check = asked()
    claim = taken(store, check)
    with store.database.write() as connection:
        connection.execute(sa.text("DELETE FROM work_items WHERE topic = :id"), {"id": check.job_id})
    with pytest.raises(LeaseLost):
        store.gradient_checks.succeed(claim, REPORT)
    with pytest.raises(UnknownCheck):
        store.gradient_checks.get(check.job_id, check.number)
