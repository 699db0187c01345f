"""Workers are woken by as many messages as they need, however many jobs wait."""

from collections.abc import Callable
from contextlib import closing

import pytest

from engine import JobSpec
from worker.backend import open_backend
from worker.domain.principals import LOCAL
from worker.queue import publisher
from worker.queue.broker import open_broker
from worker.queue.celery_app import PREFIX, queue_name
from worker.settings import Settings
from worker.store import open_store

QUEUE = f"{PREFIX}{queue_name('cpu')}"


def test_plenty_of_messages_are_enough_and_the_sweeper_adds_more_as_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    spec: Callable[..., JobSpec],
    until: Callable[[Callable[[], object]], None],
) -> None:
    monkeypatch.setattr(publisher, "PLENTY", 3)
    monkeypatch.setattr(publisher, "COUNT_EVERY", 1)
    monkeypatch.setattr(publisher, "ENOUGH_SECONDS", 0.1)
    alone = settings.model_copy(update={"redis_url": None})  # no other test's messages are counted
    with (
        open_broker(alone) as broker,
        open_backend(alone) as opened,
        closing(broker.client(1.0)) as redis,
        closing(open_store(alone)) as store,
    ):
        backend = opened.on_behalf_of(LOCAL)

        def lying() -> int:
            return int(redis.llen(QUEUE))

        jobs = [backend.jobs.submit(spec()).id for _ in range(5)]
        until(lambda: lying() == 3)
        taken = set()
        while len(taken) < len(jobs):
            assert lying() <= 3
            until(lying)
            taken.add(redis.rpop(QUEUE))  # as a worker does
        until(lambda: store.work_items.unpublished() == [])
