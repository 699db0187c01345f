"""The lock's file counts the writes of all processes: the same number twice means that nothing was written between."""

import multiprocessing
import os
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from worker.errors import StoreUnavailable
from worker.storage.database import Database, open_database
from worker.storage.write_lock import WriteLock

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def lock(tmp_path: Path):
    with closing(WriteLock(tmp_path / "lock", seconds=60)) as made:
        yield made


def hold(path: Path, entered: Event, leave: Event) -> None:
    with WriteLock(path, seconds=60):
        entered.set()
        leave.wait(60)


def test_no_number_is_told_while_somebody_writes_and_another_one_afterwards(lock: WriteLock, tmp_path: Path) -> None:
    seen = [lock.writes]
    for _ in range(3):
        with lock, lock:
            assert lock.writes is None
        seen.append(lock.writes)
    assert None not in seen and len(set(seen)) == len(seen)
    assert lock.writes == seen[-1]
    with closing(WriteLock(tmp_path / "lock", seconds=60)) as another:
        assert another.writes == lock.writes


def test_another_process_is_heard_of_though_it_dies(lock: WriteLock, tmp_path: Path) -> None:
    before = lock.writes
    for die in (False, True):
        entered, leave = SPAWN.Event(), SPAWN.Event()
        process = SPAWN.Process(target=hold, args=(tmp_path / "lock", entered, leave))
        process.start()
        assert entered.wait(60)
        assert lock.writes is None
        if die:
            process.kill()
        else:
            leave.set()
        process.join(60)
        if die:
            assert lock.writes is None  # it may have written: nobody knows
            with lock:
                pass
        assert lock.writes not in (None, before)
        before = lock.writes


def test_a_write_is_counted_before_whoever_wrote_can_say_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/counted.db"
    with closing(open_database(url)) as one, closing(Database(url)) as other:
        before = other.writes
        with one.write():
            assert other.writes is None
        assert other.writes not in (None, before)
        with one.read():
            after = other.writes
        assert other.writes == after


def test_a_file_that_cannot_be_written_is_said(lock: WriteLock, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StoreUnavailable, match="No space left on device"), lock:
            pass
    with lock:  # and is not held for ever
        pass
