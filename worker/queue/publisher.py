"""Publishing work items to the workers, from a thread of its own: no request ever waits for the broker."""

import queue
import threading
from collections import Counter
from time import monotonic
from typing import NamedTuple, Self

import redis
import structlog
from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

from worker.errors import StoreError
from worker.queue.celery_app import TASK, queue_name
from worker.store import Store

CLOSE_SECONDS = 2.0
PLENTY = 500
"""Messages in a queue, each of which lets a worker take the most urgent item.

More would wake nobody sooner. The items beyond it stay unpublished until a sweep finds room for more.
"""

COUNT_EVERY = 50
ENOUGH_SECONDS = 1.0
UNREACHABLE = (OperationalError, ChannelError, redis.RedisError, OSError)


class Message(NamedTuple):
    """The id of a work item, and the queue of the workers that should hear it."""

    item_id: str
    queue: str


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

    def start(self) -> Self:
        """Begin to publish; what was asked for before goes first."""
        self._thread.start()
        return self

    def publish(self, item_id: str, to: str) -> None:
        """Have the item's id published to the queue `to`; returns at once."""
        if monotonic() < self._enough_until.get(to, 0.0):
            return
        message = Message(item_id, to)
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
        if self._thread.is_alive():
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
                self._log.warning("broker_unreachable", messages=len(batch), error=type(error).__name__)
            except StoreError as error:
                self._log.warning("publication_not_noted", error=str(error))
            finally:
                self._waiting.difference_update(batch)

    def _publish(self, batch: list[Message]) -> None:
        published: list[str] = []
        try:
            for item_id, to in self._needed(batch):
                self._app.send_task(TASK, args=(item_id,), queue=queue_name(to), retry=False)
                published.append(item_id)
        finally:
            if published:
                self._store.work_items.mark_published(published)

    def _needed(self, batch: list[Message]) -> list[Message]:
        """Those of the messages that may wake somebody: there are not plenty in their queue.

        The messages are counted after every few that were published: counting takes as long as publishing one.
        """
        needed: list[Message] = []
        for to, number in Counter(message.queue for message in batch).items():
            room = number
            self._uncounted[to] += number
            if self._uncounted[to] >= COUNT_EVERY:
                room = PLENTY - (self.backlog(to) or 0)
                if room <= number:
                    self._enough_until[to] = monotonic() + ENOUGH_SECONDS
                else:
                    self._uncounted[to] = 0
            needed += [message for message in batch if message.queue == to][: max(0, room)]
        return needed
