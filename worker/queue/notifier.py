"""Word that a job has changed, for whoever waits for it: never what has changed, which is in the store."""

# mypy: disable-error-code="no-untyped-call"
# redis has, here and there, no types

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
import structlog

from worker.queue.celery_app import PREFIX
from worker.queue.redis_faults import describe_fault
from worker.redis_address import RedisAddress

CHANNEL = f"{PREFIX}jobs"
TICK_SECONDS = 1.0  # word may be lost, so everybody looks this often anyway
POLL_SECONDS = 0.25  # while there is no word at all
ANSWER_SECONDS = 1.0
PAUSE_SECONDS = 10.0  # how long a speaker leaves a Redis alone that did not answer


class Notifier:
    """Speaks and listens over Redis; while that is away, wakes its listeners a few times a second."""

    def __init__(self, broker: RedisAddress) -> None:
        self._broker = broker
        self._client = broker.client(ANSWER_SECONDS)
        self._silent_until = 0.0
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("notifier")

    def notify(self, job_id: str) -> None:
        """Say that the job has changed; a Redis that does not answer costs at most a second now and then."""
        self.wake(job_id)
        if time.monotonic() < self._silent_until:
            return
        try:
            self._client.publish(CHANNEL, job_id)
        except redis.RedisError:
            self._silent_until = time.monotonic() + PAUSE_SECONDS

    def wake(self, job_id: str) -> None:
        """Wake the listeners of this process."""
        with self._lock:
            wakes = tuple(self._listeners.get(job_id, ()))
        for wake in wakes:
            wake()

    @contextmanager
    def listen(self, job_id: str, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` from another thread whenever the job may have changed."""
        with self._lock:
            self._listeners.setdefault(job_id, []).append(wake)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._listeners[job_id].remove(wake)
                if not self._listeners[job_id]:
                    del self._listeners[job_id]

    def answers(self) -> str | None:
        """None when Redis answers, else a sentence about what it does instead; waits about a second."""
        try:
            self._client.ping()
        except redis.RedisError as error:
            return str(describe_fault(self._broker, error, ANSWER_SECONDS))
        return None

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(TICK_SECONDS + 2)
        self._client.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._hear()
            except redis.RedisError as error:
                self._log.warning("redis_unreachable", error=type(error).__name__)
                self._poll(TICK_SECONDS)

    def _hear(self) -> None:
        with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(CHANNEL)
            next_tick = time.monotonic() + TICK_SECONDS
            while not self._closed.is_set():
                message = subscription.get_message(timeout=max(0.0, next_tick - time.monotonic()))
                if message is not None:
                    self.wake(message["data"].decode(errors="replace"))
                if time.monotonic() >= next_tick:
                    self._wake_everybody()
                    next_tick = time.monotonic() + TICK_SECONDS

    def _poll(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._closed.wait(POLL_SECONDS):
            self._wake_everybody()

    def _wake_everybody(self) -> None:
        with self._lock:
            wakes = [wake for listeners in self._listeners.values() for wake in listeners]
        for wake in wakes:
            wake()
