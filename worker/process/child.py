"""A process of the worker's pool: what it has open, and the threads beside the one that trains."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from engine.devices import in_use
from worker.domain.ids import new_id
from worker.domain.jobs import Failure
from worker.errors import StorageFull, StoreUnavailable
from worker.maintenance.sweeper import Sweeper
from worker.queue.celery_app import make_app
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.queue.redis_address import RedisAddress
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import open_store
from worker.work.check_gradients import CheckExecution
from worker.work.predict_batch import BatchExecution
from worker.work.train import ADVICE, Execution
from worker.work.watchdog import memory_used


class WorkerProcess:
    """Opened after the fork; the process trains one job at a time."""

    def __init__(self, settings: Settings, broker: RedisAddress, *, draining: Callable[[], bool]) -> None:
        self._settings = settings
        self._draining = draining
        self._id = new_id("worker")
        self._job_id: str | None = None
        self._duplicates = 0  # messages that found nothing to do
        self._log = structlog.get_logger("process")
        self._store = open_store(settings)
        self._notifier = Notifier(broker)
        self._publisher = Publisher(make_app(settings, broker), self._store)
        self._sweeper = Sweeper(settings, self._store, self._publisher, self._notifier, also=self._be_seen)
        artifacts = Artifacts(settings.data_dir)
        self._means = (settings, self._store, artifacts, self._notifier)  # what every execution works with
        self._log.info("worker_process_opened", worker=self._id, pid=os.getpid(), redis=str(broker))

    def train(self, job_id: str) -> None:
        """Train the job if it is there to be claimed; a message that comes twice finds nothing to do."""
        if self._draining():
            return  # still queued; another worker takes it
        claim = self._store.claims.next(job_id, self._id)
        if claim is None:
            self._nothing(job_id=job_id)
            return
        with self._busy_with(claim.job_id):
            Execution(claim, *self._means, draining=self._draining).run()

    def check_gradients(self, job_id: str, number: int) -> None:
        """Make the gradient check if it is there to be claimed."""
        if self._draining():
            return  # still queued; another worker takes it
        claim = self._store.gradient_checks.claim(job_id, number, self._id)
        if claim is None:
            self._nothing(job_id=job_id, check=number)
            return
        with self._busy_with(job_id):
            CheckExecution(claim, *self._means, draining=self._draining).run()

    def predict_batch(self, batch_id: str) -> None:
        """Make the batch prediction if it is there to be claimed."""
        if self._draining():
            return  # still queued; another worker takes it
        claim = self._store.batch_predictions.claim(batch_id, self._id)
        if claim is None:
            self._nothing(batch=batch_id)
            return
        BatchExecution(claim, *self._means, draining=self._draining).run()

    def tell_of_starved_jobs(self) -> None:
        """End the jobs of this machine's workers that are no more: the kernel has killed for want of memory."""
        for job_id, pid, held in self._store.sweeps.neighbors(socket.gethostname()):
            if _runs(pid):
                continue
            figure = "" if held is None else f"; it held {held >> 20} MiB when it was last seen"
            message = f"memory ran out, and the kernel ended the worker of this job{figure}"
            failure = Failure("out_of_memory", message, "/training/batch_size", ADVICE["out_of_memory"][1])
            if self._store.sweeps.starved(job_id, pid, failure):
                self._log.warning("job_starved", job_id=job_id, pid=pid, held=held)
                self._notifier.notify(job_id)

    def _nothing(self, **message: object) -> None:
        """Count a message that came twice, or too late."""
        self._duplicates += 1
        self._log.info("nothing_to_claim", duplicates=self._duplicates, **message)

    @contextmanager
    def _busy_with(self, job_id: str) -> Iterator[None]:
        """Within the block the worker's row names the job."""
        self._job_id = job_id
        try:
            yield
        finally:
            self._job_id = None

    def close(self) -> None:
        """Say goodbye and close everything."""
        self._sweeper.close()
        self._publisher.close()
        self._notifier.close()
        try:
            self._store.workers.gone(self._id)
        except (StoreUnavailable, StorageFull):
            self._log.warning("goodbye_not_stored", worker=self._id)
        self._store.close()

    def _be_seen(self) -> None:
        self._store.workers.seen(
            self._id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._settings.queues,
            job_id=self._job_id,
            device=in_use(),
            memory_bytes=memory_used(),
            threads=self._settings.blas_threads,
        )


def _runs(pid: int) -> bool:
    """Whether there is such a process, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
