"""Telling the workers of a job, from a thread of its own: no request ever waits for the broker."""

import queue
import threading
from collections import Counter
from dataclasses import dataclass
from time import monotonic

import redis
import structlog
from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

from worker.errors import StorageFull, StoreUnavailable
from worker.queue.celery_app import BATCH_TASK, CHECK_TASK, TASK, queue_name
from worker.store import Store

CLOSE_SECONDS = 2.0
PLENTY = 500
"""Messages of training jobs in a queue, each of which lets a worker take the most urgent job.

More would wake nobody sooner. The jobs beyond it stay unpublished until a sweep finds room for more.
"""

COUNT_EVERY = 50
ENOUGH_SECONDS = 1.0
UNREACHABLE = (OperationalError, ChannelError, redis.RedisError, OSError)


@dataclass(frozen=True)
class Message:
    """A message to be: ids, and the queue of whoever should hear them."""

    job_id: str
    to: str
    check: int | None = None  # the number of a gradient check; None: the training itself
    batch: bool = False  # the id is that of a batch prediction

    @property
    def task(self) -> str:
        if self.batch:
            return BATCH_TASK
        return TASK if self.check is None else CHECK_TASK

    @property
    def args(self) -> tuple[str | int, ...]:
        return (self.job_id,) if self.check is None else (self.job_id, self.check)


class Publisher:
    """Publishes ids; what it cannot publish, or need not, it forgets, for the sweeper asks again."""

    def __init__(self, app: Celery, store: Store) -> None:
        self._app = app
        self._store = store
        self._log = structlog.get_logger("publisher")
        self._wanted: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._waiting: set[Message] = set()  # so that one that waits is not asked for twice
        self._uncounted: Counter[str] = Counter()  # by queue: published since its messages were counted
        self._enough_until: dict[str, float] = {}  # by queue, once there are plenty
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def publish(self, job_id: str, to: str, *, check: int | None = None, batch: bool = False) -> None:
        """Have the job, a gradient check of it, or a batch prediction published to the queue `to`; returns at once."""
        message = Message(job_id, to, check, batch)
        if message.task == TASK and monotonic() < self._enough_until.get(to, 0.0):
            return
        if message not in self._waiting:
            self._waiting.add(message)
            self._wanted.put(message)

    def backlog(self, of: str) -> int | None:
        """Messages that lie in the queue, or None when the broker does not say; waits for it."""
        try:
            with self._app.connection_for_write() as connection:
                name = queue_name(of)
                declared = connection.default_channel.queue_declare(queue=name)
                return int(declared.message_count)
        except UNREACHABLE:
            return None

    def close(self) -> None:
        """Stop; a publication that hangs is left to itself."""
        self._wanted.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (first := self._wanted.get()) is not None:
            batch = [first]
            while len(batch) < 100 and not self._wanted.empty():
                if (another := self._wanted.get()) is None:
                    return
                batch.append(another)
            try:
                self._publish(batch)
            except UNREACHABLE as error:
                self._log.warning("broker_unreachable", jobs=len(batch), error=type(error).__name__)
            except (StoreUnavailable, StorageFull) as error:
                self._log.warning("publication_not_noted", error=str(error))
            finally:
                self._waiting.difference_update(batch)

    def _publish(self, batch: list[Message]) -> None:
        published: list[Message] = []
        try:
            for message in self._needed(batch):
                self._app.send_task(message.task, args=message.args, queue=queue_name(message.to), retry=False)
                published.append(message)
        finally:
            if jobs := [message.job_id for message in published if message.task == TASK]:
                self._store.sweeps.mark_published(jobs)
            if checks := [(message.job_id, message.check) for message in published if message.check is not None]:
                self._store.gradient_checks.mark_published(checks)
            if batches := [message.job_id for message in published if message.batch]:
                self._store.batch_predictions.mark_published(batches)

    def _needed(self, batch: list[Message]) -> list[Message]:
        """Those of the messages that may wake somebody: all but trainings of which plenty are in the queue.

        The messages are counted after every few that were published: counting takes as long as publishing one.
        """
        needed = [message for message in batch if message.task != TASK]
        for to, number in Counter(message.to for message in batch if message.task == TASK).items():
            room = number
            self._uncounted[to] += number
            if self._uncounted[to] >= COUNT_EVERY:
                room = PLENTY - (self.backlog(to) or 0)
                if room <= number:
                    self._enough_until[to] = monotonic() + ENOUGH_SECONDS
                else:
                    self._uncounted[to] = 0
            needed += [message for message in batch if message.task == TASK and message.to == to][: max(0, room)]
        return needed
