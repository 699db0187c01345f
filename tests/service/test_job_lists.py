"""A list holds every job as it is now, though most of its text was written before."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import JobSpec
from service.http.listing import Listing
from service.views import job_lists
from service.views.job_lists import JobLists
from service.views.jobs import JobView
from tests.service.work import Work
from tests.worker.conftest import quick_settings
from worker.backend import open_backend
from worker.domain.principals import LOCAL
from worker.workspace import Workspace

SPEC = JobSpec.model_validate({"data": {"train": "iris", "target": "label"}})


@pytest.fixture
def backend(tmp_path: Path, redis_url: str) -> Iterator[Workspace]:
    with open_backend(quick_settings(tmp_path, redis_url=redis_url, sweep_seconds=60.0)) as opened:
        yield opened.on_behalf_of(LOCAL)


def test_a_list_is_that_of_the_views_whatever_becomes_of_the_jobs(
    backend: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_lists, "MOST_TEXTS", 9)
    lists = JobLists()
    written: list[str] = []
    find = backend.jobs.find
    monkeypatch.setattr(backend.jobs, "find", lambda ids: written.extend(ids) or find(ids))

    def looked(limit: int = 4) -> list[str]:
        """Which jobs had to be written anew."""
        written.clear()
        page = backend.jobs.page(limit=limit)
        jobs = find([job.id for job in page.data])
        views = Listing(data=[JobView.of(jobs[job.id]) for job in page.data], has_more=page.has_more)
        listed = lists.page(backend, limit=limit)
        assert listed.json() == views.model_dump_json().encode()
        assert listed.document() == json.loads(listed.json())
        return written.copy()

    assert looked() == []
    jobs = [backend.jobs.submit(SPEC).id for _ in range(3)]
    assert looked() == jobs[::-1]
    assert looked() == []
    jobs.append(backend.jobs.submit(SPEC).id)
    assert looked() == jobs[3:]
    backend.jobs.cancel(jobs[1])
    assert looked() == [jobs[1]]
    backend.jobs.pause(jobs[2])
    assert looked() == [jobs[2]]
    backend.jobs.delete(jobs[1])
    assert looked() == []
    with Work.on(backend.settings) as work:  # a worker: those that wait now wait for another reason
        work.store.workers.seen("worker", host="here", pid=1, queues=["cpu"], job_id=None)
        assert looked() == [jobs[3], jobs[0]]
        claim = work.claim(jobs[0])
        assert looked() == [jobs[0]]
        work.store.training_log.record(claim, 1)
    for _ in range(9):
        jobs.append(backend.jobs.submit(SPEC).id)
        looked(12)
    assert len(lists) == 9


def test_a_job_that_is_deleted_in_between_is_left_out(backend: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [backend.jobs.submit(SPEC).id for _ in range(2)]
    find = backend.jobs.find

    def late(ids: list[str]) -> object:
        backend.jobs.cancel(jobs[1])
        backend.jobs.delete(jobs[1])
        return find(ids)

    monkeypatch.setattr(backend.jobs, "find", late)
    listed = JobLists().page(backend, limit=10).document()
    assert [job["id"] for job in listed["data"]] == jobs[:1]
