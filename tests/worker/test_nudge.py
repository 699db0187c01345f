"""Workers are woken by as many messages as they need, however many jobs wait."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import JobSpec
from worker import nudge
from worker.settings import Settings
from worker.yard import Yard


def test_plenty_of_messages_are_enough_and_the_sweeper_adds_more_as_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
    yard: Yard,
    settings: Settings,
    spec: Callable[..., JobSpec],
    until: Callable[[Callable[[], object]], None],
) -> None:
    monkeypatch.setattr(nudge, "PLENTY", 3)
    monkeypatch.setattr(nudge, "COUNT_EVERY", 1)
    monkeypatch.setattr(nudge, "ENOUGH_SECONDS", 0.1)
    folder = Path(str(yard.transport.folder)) / "messages"

    def lying() -> list[Path]:
        return sorted(folder.glob("*.msg"))

    jobs = [yard.submit(spec()).id for _ in range(5)]
    until(lambda: len(lying()) == 3)
    seen = set()
    while len(seen) < len(jobs):
        assert len(lying()) <= 3
        until(lying)
        first = lying()[0]
        seen.add(first.name)
        first.unlink()  # as a worker does who takes it
    until(lambda: yard._store.sweeps.unpublished() == [])
