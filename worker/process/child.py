"""A process of the worker's pool: what it has open, and the threads beside the one that works."""

import os
import socket
from collections.abc import Callable

import structlog

from engine.devices import in_use
from worker.domain.ids import is_id, new_id
from worker.domain.work_items import Claim, Failure
from worker.errors import StoreError
from worker.maintenance.sweeper import Sweeper
from worker.queue.celery_app import make_app
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.redis_address import RedisAddress
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import open_store
from worker.work.kinds import KINDS, Kinds, attempt_at
from worker.work.watchdog import memory_used


class WorkerProcess:
    """Opened after the fork; the process works on one item at a time."""

    def __init__(
        self, settings: Settings, broker: RedisAddress, *, draining: Callable[[], bool], kinds: Kinds = KINDS
    ) -> None:
        self._settings = settings
        self._draining = draining
        self._kinds = kinds
        self._id = new_id("worker")
        self._claim: Claim | None = None  # what it works on
        self._duplicates = 0  # messages that found nothing to do
        self._log = structlog.get_logger("process")
        self._store = open_store(settings)
        self._notifier = Notifier(broker)
        self._publisher = Publisher(make_app(settings, broker), self._store).start()
        self._sweeper = Sweeper(settings, self._store, self._publisher, self._notifier, also=self._be_seen).start()
        self._means = (settings, self._store, Artifacts(settings.data_dir), self._notifier)  # of every attempt
        self._log.info("worker_process_opened", worker=self._id, pid=os.getpid(), redis=str(broker))

    def work(self, item_id: str) -> None:
        """Work on the most urgent item of this one's queue; a message that comes twice finds nothing to do."""
        if self._draining():
            return  # still queued; another worker takes it
        claim = self._store.work_items.claim_next(item_id, self._id, self._kinds)
        if claim is None:
            self._duplicates += 1
            self._log.info("nothing_to_claim", duplicates=self._duplicates, item=item_id)
            return
        self._claim = claim
        try:
            attempt_at(claim, *self._means, draining=self._draining, kinds=self._kinds).run()
        finally:
            self._claim = None

    def tell_of_starved_items(self) -> None:
        """End the items of this machine's workers that are no more: the kernel has killed for want of memory."""
        for item, pid, held in self._store.work_items.running_on(socket.gethostname()):
            if item.kind not in self._kinds or _runs(pid):  # of a kind that a newer worker knows: its lease runs out
                continue
            kind = self._kinds[item.kind]()
            figure = "" if held is None else f"; it held {held >> 20} MiB when it was last seen"
            message = f"memory ran out, and the kernel ended the worker of this {kind.what}{figure}"
            failure = kind.advise(Failure("out_of_memory", message))
            if self._store.work_items.fail_with_process(item.id, pid, failure):
                self._log.warning("item_starved", item=item.id, pid=pid, held=held)
                self._notifier.notify(item.topic)

    def close(self) -> None:
        """Say goodbye and close everything."""
        self._sweeper.close()
        self._publisher.close()
        self._notifier.close()
        try:
            self._store.workers.gone(self._id)
        except StoreError:
            self._log.warning("goodbye_not_stored", worker=self._id)
        self._store.close()

    def _be_seen(self) -> None:
        claim = self._claim
        topic = None if claim is None else claim.item.topic
        self._store.workers.seen(
            self._id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._settings.queues,
            job_id=topic if topic is not None and is_id("job", topic) else None,
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
