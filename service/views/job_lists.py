"""Lists of jobs: whoever looks at one again and again waits only for the jobs that have changed meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic_core import from_json

from service.views.jobs import JobView
from worker.domain.jobs import JobVersion
from worker.domain.work_items import Status
from worker.workspace import Workspace

MOST_TEXTS = 2000
MOST_CHARACTERS = 16_384
"""A job with a longer spec is written anew each time: few have one, and memory is better spent."""


@dataclass(frozen=True)
class JobPage:
    """A page of a list, its jobs as JSON."""

    jobs: Sequence[str]
    has_more: bool

    def json(self) -> bytes:
        """`Listing[JobView]`."""
        return f'{{"data":[{",".join(self.jobs)}],"has_more":{"true" if self.has_more else "false"}}}'.encode()

    def document(self) -> dict[str, Any]:
        """The same as what JSON means by it."""
        return {"data": [from_json(job) for job in self.jobs], "has_more": self.has_more}


class JobLists:
    """A cache of the jobs that were listed last, as JSON, each good for as long as its job is as it was."""

    def __init__(self) -> None:
        self._texts: dict[JobVersion, str] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._texts)

    def page(self, backend: Workspace, *, limit: int, after: str | None = None, state: Status | None = None) -> JobPage:
        """Jobs older than `after`, newest first; raises InvalidPage."""
        page = backend.jobs.page(limit=limit, after=after, state=state)
        with self._lock:
            known = {job.id: text for job in page.data if (text := self._texts.get(job)) is not None}
        missing = [job.id for job in page.data if job.id not in known]
        if missing:
            known |= self._written(backend, missing)
        # one that was deleted since the page was read is not there any more
        return JobPage([known[job.id] for job in page.data if job.id in known], page.has_more)

    def _written(self, backend: Workspace, job_ids: Sequence[str]) -> dict[str, str]:
        jobs = backend.jobs.find(job_ids)
        texts = {job_id: JobView.of(job).model_dump_json() for job_id, job in jobs.items()}
        with self._lock:
            for job_id, text in texts.items():
                if len(text) <= MOST_CHARACTERS:
                    self._texts[JobVersion(job_id, jobs[job_id].version, jobs[job_id].waiting_reason)] = text
            while len(self._texts) > MOST_TEXTS:
                del self._texts[next(iter(self._texts))]
        return texts
