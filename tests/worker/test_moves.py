"""Whatever is done to a job in whatever order, it moves as the table of legal moves says."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.conftest import queue_job
from worker.domain.jobs import Saved
from worker.domain.principals import LOCAL
from worker.domain.work_items import MOVES, Claim, Failure, Status
from worker.errors import ControlPending, IllegalMove, LeaseLost, NothingToKeep
from worker.settings import Settings
from worker.storage.database import open_database
from worker.store import Draft, SavedModel, Store, TenantStore

DRAFT = Draft(None, {}, 0, "cpu", 5, "", {}, {})
MODEL = SavedModel("models/x", "a" * 64, "b" * 64)
WORKER = ("claim", "claim_briefly", "next", "renew", "checkpoint", "finish", "fail", "cancelled", "paused", "release")
OWNER = ("cancel", "pause", "resume", "stop")
ACTIONS = (*WORKER, *OWNER, "reclaim")


@contextmanager
def opened(empty: Path) -> Iterator[TenantStore]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, folder)
        store = Store(open_database(f"sqlite:///{Path(folder) / empty.name}"), Settings())
        try:
            yield store.on_behalf_of(LOCAL)
        finally:
            store.close()


def test_terminal_states_are_those_without_a_way_out() -> None:
    assert {status for status in Status if status.terminal} == {"succeeded", "failed", "cancelled"}
    assert set(MOVES) == set(Status)


@settings(max_examples=15, deadline=None)
@given(actions=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 3)), min_size=5, max_size=25))
def test_every_history_is_legal(empty_sqlite: Path, actions: list[tuple[str, int]]) -> None:
    with opened(empty_sqlite) as store:
        brief = Store(store.database, Settings().model_copy(update={"lease_seconds": -1.0})).on_behalf_of(LOCAL)
        job_id = queue_job(store, DRAFT, max_queued=9).id
        claims: list[Claim] = []
        for action, which in actions:
            before = store.jobs.get(job_id)
            # an attempt of the past as often as the present one
            claim = claims[-1 - which % len(claims)] if claims else None
            current = claim is not None and before.state == "running" and claim.attempt == before.attempt
            try:
                act(store, brief, action, job_id, claim, claims)
            except LeaseLost:
                assert not current
            except (IllegalMove, ControlPending, NothingToKeep) as refused:
                assert action in OWNER
                assert before.done or before.pending or isinstance(refused, NothingToKeep)
                assert f"is {before.state}" in str(refused)
            after = store.jobs.get(job_id)
            assert after.attempt >= before.attempt
            if before.done:
                assert after == before
        timeline = store.jobs.get(job_id).timeline
        states = [milestone.state for milestone in timeline]
        assert all(later in MOVES[earlier] for earlier, later in pairwise(states))
        events = store.measurements.events(job_id, after=0, limit=1000).data
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        moves = [event.data for event in events if event.type == "state"]
        assert [move["to"] for move in moves] == states
        assert [move["from"] for move in moves[1:]] == states[:-1]


def act(
    store: TenantStore, brief: TenantStore, action: str, job_id: str, claim: Claim | None, claims: list[Claim]
) -> None:
    if action in OWNER:
        getattr(store.jobs, action)(job_id)
    elif action == "reclaim":
        store.work_items.expire(job_id)
    elif action.startswith("claim"):
        new = (brief if action == "claim_briefly" else store).work_items.claim(job_id, "worker")
        claims.extend([new] if new else [])
    elif action == "next":
        another = store.work_items.claim_next(job_id, "worker", ["train"])
        claims.extend([another] if another else [])
    elif claim is None:
        return
    elif action == "paused":
        store.work_items.release(claim, "resumed")
    elif action == "checkpoint":
        file = f"checkpoints/{claim.attempt}"
        store.training_log.checkpoint(claim, Saved(1, 1, "periodic", file, "a" * 64, 1))
    elif action == "renew":
        store.work_items.renew(claim)
    elif action == "finish":
        # a finish that is repeated is no second one
        store.training_log.finish(claim, MODEL, {}, stop_reason="completed")
    elif action == "fail":
        store.work_items.fail(claim, Failure("code", "message"))
    elif action == "cancelled":
        store.work_items.confirm_cancel(claim)
    else:
        store.work_items.release(claim, "shutdown")
