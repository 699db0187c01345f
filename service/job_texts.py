"""Jobs as JSON: whoever looks at a list again and again waits only for the jobs that have changed meanwhile."""

from threading import Lock

from service.views.jobs import JobView
from worker.domain.jobs import Edition
from worker.workspace import Workspace

MOST_TEXTS = 2000
MOST_CHARACTERS = 16_384
"""A job with a longer spec is written anew each time: few have one, and memory is better spent."""


class JobTexts:
    """The texts of the jobs that were listed last, each good for as long as its job is as it was."""

    def __init__(self, backend: Workspace) -> None:
        self._backend = backend
        self._texts: dict[Edition, str] = {}
        self._lock = Lock()

    def listing(self, limit: int) -> bytes:
        """`Listing[JobView]` of the newest jobs; raises InvalidPage."""
        page = self._backend.jobs.editions(limit=limit)
        with self._lock:
            known = {edition.id: text for edition in page.data if (text := self._texts.get(edition)) is not None}
        missing = [edition.id for edition in page.data if edition.id not in known]
        if missing:
            known |= self._written(missing)
        # one that was deleted since the page was read is not there any more
        texts = ",".join(known[edition.id] for edition in page.data if edition.id in known)
        return f'{{"data":[{texts}],"has_more":{"true" if page.has_more else "false"}}}'.encode()

    def _written(self, job_ids: list[str]) -> dict[str, str]:
        jobs = self._backend.jobs.several(job_ids)
        texts = {job_id: JobView.of(job).model_dump_json() for job_id, job in jobs.items()}
        with self._lock:
            for job_id, text in texts.items():
                if len(text) <= MOST_CHARACTERS:
                    self._texts[Edition(job_id, jobs[job_id].version, jobs[job_id].waiting_reason)] = text
            while len(self._texts) > MOST_TEXTS:
                del self._texts[next(iter(self._texts))]
        return texts
