"""Workers are woken by as many messages as they need, however many jobs wait."""

from collections.abc import Callable
from contextlib import closing

import pytest

from engine import JobSpec
from worker import nudge
from worker.broker import open_broker
from worker.celery_app import PREFIX, queue_name
from worker.settings import Settings
from worker.yard import open_yard

QUEUE = f"{PREFIX}{queue_name('cpu')}"


def test_plenty_of_messages_are_enough_and_the_sweeper_adds_more_as_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    spec: Callable[..., JobSpec],
    until: Callable[[Callable[[], object]], None],
) -> None:
    monkeypatch.setattr(nudge, "PLENTY", 3)
    monkeypatch.setattr(nudge, "COUNT_EVERY", 1)
    monkeypatch.setattr(nudge, "ENOUGH_SECONDS", 0.1)
    alone = settings.model_copy(update={"redis_url": None})  # no other test's messages are counted
    with open_broker(alone) as broker, open_yard(alone) as yard, closing(broker.client(1.0)) as redis:

        def lying() -> int:
            return int(redis.llen(QUEUE))

        jobs = [yard.submit(spec()).id for _ in range(5)]
        until(lambda: lying() == 3)
        taken = set()
        while len(taken) < len(jobs):
            assert lying() <= 3
            until(lying)
            taken.add(redis.rpop(QUEUE))  # as a worker does
        until(lambda: yard._store.sweeps.unpublished() == [])
