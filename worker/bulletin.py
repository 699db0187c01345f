"""Word that a job has changed, for whoever waits for it: never what has changed, which is in the store."""

# mypy: disable-error-code="no-untyped-call"
# redis has, here and there, no types

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
import structlog

from worker.broker import Transport
from worker.celery_app import PREFIX, redis_url

CHANNEL = f"{PREFIX}jobs"
TICK_SECONDS = 1.0  # word may be lost, so everybody looks this often anyway
POLL_SECONDS = 0.25  # where there is no word at all
PAUSE_SECONDS = 10.0  # how long a speaker leaves a Redis alone that did not answer


class Bulletin:
    """Speaks and listens over Redis; without one, wakes its listeners a few times a second."""

    def __init__(self, transport: Transport) -> None:
        self._client = (
            redis.Redis.from_url(redis_url(transport), socket_timeout=1, socket_connect_timeout=1, retry=None)
            if transport.pushes
            else None
        )
        self._silent_until = 0.0
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("bulletin")

    def announce(self, job_id: str) -> None:
        """Say that the job has changed; a Redis that does not answer costs at most a second now and then."""
        self.wake(job_id)
        if self._client is None or time.monotonic() < self._silent_until:
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
                self._thread = threading.Thread(target=self._run, name="bulletin", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._listeners[job_id].remove(wake)
                if not self._listeners[job_id]:
                    del self._listeners[job_id]

    def answers(self) -> str | None:
        """None when Redis answers, else what it does instead; asks at most a second."""
        if self._client is None:
            return None
        try:
            self._client.ping()
        except redis.RedisError as error:
            return type(error).__name__
        return None

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(TICK_SECONDS + 2)
        if self._client is not None:
            self._client.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            if self._client is None:
                self._poll(TICK_SECONDS)
                continue
            try:
                self._hear(self._client)
            except redis.RedisError as error:
                self._log.warning("redis_unreachable", error=type(error).__name__)
                self._poll(TICK_SECONDS)

    def _hear(self, client: redis.Redis) -> None:
        with client.pubsub(ignore_subscribe_messages=True) as subscription:
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
