"""Drafts become jobs; those that come at the same time do so in one transaction.

What a transaction costs is mostly its way to the disk, so that a hundred clients are not much slower than one.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any, TypeAlias

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.idempotency import KeyedRequest
from worker.domain.ids import new_id
from worker.domain.jobs import Job
from worker.domain.principals import Principal
from worker.domain.work_items import Status
from worker.errors import QueueFull, StorageFull, StoreUnavailable, UnknownCheckpoint, UnknownDataset, WorkerError
from worker.storage import tables
from worker.storage.database import Database
from worker.store.checkpoints import MODEL, read_checkpoint
from worker.store.idempotency_keys import created_before, note_created
from worker.store.item_rows import ITEMS, new_item
from worker.store.job_records import MOST_COUNTED, count_waiting, job_of, read_job, served
from worker.store.job_rows import JOB_ROW, KIND, lock_job, timeline_entry

Row: TypeAlias = dict[str, Any]

COUNT_SECONDS = 1.0
"""So often are the jobs that wait counted: with many of them it would cost more than to add one."""


@dataclass(frozen=True)
class Draft:
    """A job that has been checked and not yet stored; inputs map a reference of the spec to an id."""

    name: str | None
    spec: Mapping[str, JsonValue]
    seed: int
    queue: str
    epochs: int
    data_hash: str
    datasets: Mapping[str, str]
    parameters: Mapping[str, str]
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    priority: int = 5
    rerun_of: str | None = None


@dataclass(eq=False)
class Request:
    """A draft on its way, and what became of it."""

    draft: Draft
    principal: Principal
    max_queued: int
    keyed: KeyedRequest | None
    outcome: Future[Job] = field(default_factory=Future)

    @property
    def refusal(self) -> WorkerError | None:
        """Why there is no job of it."""
        error = self.outcome.exception()
        return error if isinstance(error, WorkerError) else None


class Admission:
    """Lets jobs in; whoever comes while a transaction is under way goes with all the others that do in the next."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._requests: deque[Request] = deque()
        self._turn = Lock()
        self._waiting = 0  # jobs, as last counted
        self._counted_at = float("-inf")

    def admit(self, draft: Draft, principal: Principal, *, max_queued: int, keyed: KeyedRequest | None = None) -> Job:
        """Queue a job; its datasets cannot be deleted from here on until it is done."""
        mine = Request(draft, principal, max_queued, keyed)
        if draft.checkpoints:  # alone: it locks other jobs, and two processes might lock several in different orders
            self._write([mine])
        else:
            self._settle([mine])
        return mine.outcome.result()

    def admit_all(self, drafts: Sequence[Draft], principal: Principal, *, max_queued: int) -> list[Job | WorkerError]:
        """Queue jobs that came together and start from no other; what `admit` gives back or raises, one by one."""
        mine = [Request(draft, principal, max_queued, None) for draft in drafts]
        self._settle(mine)
        return [one.refusal or one.outcome.result() for one in mine]

    def _settle(self, mine: Sequence[Request]) -> None:
        self._requests.extend(mine)
        with self._turn:
            if not all(one.outcome.done() for one in mine):
                self._lead(mine)

    def _lead(self, mine: Sequence[Request]) -> None:
        """Settle these requests and those that came with them."""
        together = [self._requests.popleft() for _ in range(len(self._requests))]
        try:
            self._write(together)
        except (StorageFull, StoreUnavailable) as error:  # of none in particular; waiting in turn would take for ever
            for one in together:
                one.outcome.set_exception(error)
        finally:
            left = [one for one in together if one not in mine and not one.outcome.done()]
            self._requests.extendleft(reversed(left))

    def _write(self, requests: Sequence[Request]) -> None:
        outcomes: list[Job | WorkerError] = []
        with self._database.write() as connection:
            batch = Batch(self._database, connection, self._room)
            for request in requests:
                try:
                    outcomes.append(batch.add(request))
                except WorkerError as error:
                    outcomes.append(error)
            batch.write()
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, Job):
                request.outcome.set_result(outcome)
            else:
                request.outcome.set_exception(outcome)

    def _room(self, connection: sa.Connection, max_queued: int) -> None:
        """Raise `QueueFull`; the jobs are counted now and then, and what this process adds meanwhile is added up."""
        if monotonic() - self._counted_at > COUNT_SECONDS:
            self._waiting = connection.scalar(WAITING) or 0
            self._counted_at = monotonic()
        if self._waiting >= max_queued:
            raise QueueFull(max_queued)
        self._waiting += 1


class Batch:
    """The rows of one transaction: what is wrong with a draft is found before anything is written."""

    def __init__(
        self, database: Database, connection: sa.Connection, room: Callable[[sa.Connection, int], None]
    ) -> None:
        self._database = database
        self._connection = connection
        self._room = room
        self._now = database.now(connection)
        self._live = served(connection, self._now)
        self._items: list[Row] = []
        self._jobs: list[Row] = []
        self._events: list[Row] = []
        self._inputs: list[Row] = []
        self._revisions: list[Row] = []
        self._found: dict[tuple[str, int], int] = {}
        self._held: set[str] = set()  # datasets that are there, and stay

    def add(self, request: Request) -> Job:
        """The job of a draft, once it is written; that of an earlier attempt at the request, if there was one."""
        draft, connection = request.draft, self._connection
        principal = request.principal
        if (known := created_before(connection, request.keyed)) is not None:
            return read_job(self._database, connection, principal.tenant, known)
        self._room(connection, request.max_queued)
        self._hold(draft.datasets)
        _hold_checkpoints(connection, principal.tenant, draft.checkpoints)
        job_id = new_id("job")
        revisions = [] if draft.rerun_of is None else _revisions(connection, draft.rerun_of, job_id, self._now)
        item = new_item(job_id, KIND, self._now, principal, queue=draft.queue, priority=draft.priority)
        item["revision"] = len(revisions)
        row = _first_row(job_id, draft, self._now)
        position = self._position(draft)
        self._items.append(item)
        self._jobs.append(row)
        self._revisions += revisions
        story = {"from": None, "to": Status.QUEUED.value, "reason": None}
        told = {"job_id": job_id, "seq": 1, "type": "state", "at": self._now, "attempt": 0, "data": story}
        self._events.append(told)
        self._inputs += [
            {"job_id": job_id, "reference": reference, "kind": kind, "input_id": input_id}
            for kind, named in (
                ("dataset", draft.datasets),
                ("parameters", draft.parameters),
                ("checkpoint", draft.checkpoints),
            )
            for reference, input_id in named.items()
        ]
        note_created(connection, request.keyed, job_id)
        return job_of({**UNTOUCHED, **item, **row}, self._live, position)

    def _hold(self, datasets: Mapping[str, str]) -> None:
        """Lock the datasets' rows against a deletion at the same moment."""
        for reference, dataset_id in datasets.items():
            if dataset_id not in self._held:
                if self._connection.scalar(HELD, {"dataset_id": dataset_id}) is None:
                    raise UnknownDataset(reference, pointer="/data/train", hint="It was deleted just now.")
                self._held.add(dataset_id)

    def write(self) -> None:
        """Carry the statements out, each for all the jobs at once."""
        for statement, rows in (
            (NEW_ITEMS, self._items),
            (NEW, self._jobs),
            (TOLD, self._events),
            (NEEDED, self._inputs),
            (PLANNED, self._revisions),
        ):
            if rows:
                self._connection.execute(statement, rows)

    def _position(self, draft: Draft) -> int | None:
        """Its place among the jobs that wait, with those of this transaction before it; None behind too many."""
        queue, priority = draft.queue, draft.priority
        if (queue, priority) not in self._found:
            asked = {"queue": queue, "priority": priority}
            self._found[queue, priority] = self._connection.scalar(NO_LESS_URGENT, asked) or 0
        ahead = self._found[queue, priority]
        ahead += sum(row["queue"] == queue and row["priority"] >= priority for row in self._items)
        return None if ahead >= MOST_COUNTED else ahead + 1


WAITING = (
    sa.select(sa.func.count())
    .select_from(tables.work_items)
    .where(ITEMS.kind == KIND, ITEMS.state == Status.QUEUED.value)
)
NO_LESS_URGENT = count_waiting(ITEMS.priority >= sa.bindparam("priority"))
"""All that will be claimed before one that is new."""

HELD = (
    sa.select(tables.datasets.c.id).where(tables.datasets.c.id == sa.bindparam("dataset_id")).with_for_update(read=True)
)
NEW_ITEMS = sa.insert(tables.work_items)
NEW, TOLD, NEEDED = sa.insert(tables.jobs), sa.insert(tables.events), sa.insert(tables.job_inputs)
PLANNED = sa.insert(tables.revisions)


def _first_row(job_id: str, draft: Draft, now: float) -> Row:
    """A job that has just been queued, and has told so in its first event."""
    return {
        "id": job_id,
        "name": draft.name,
        "spec": dict(draft.spec),
        "seed": draft.seed,
        "data_hash": draft.data_hash,
        "batch": 0,
        "updated_at": now,
        "stage": "waiting",
        "epoch": 0,
        "epochs": draft.epochs,
        "checkpoint": 0,
        "rerun_of": draft.rerun_of,
        "warnings": 0,
        "version": 1,
        "seq": 1,
        "timeline": [timeline_entry(Status.QUEUED, now, attempt=0, reason=None)],
    }


UNTOUCHED: Mapping[str, None] = {column.name: None for column in JOB_ROW}


def _revisions(connection: sa.Connection, rerun_of: str, job_id: str, now: float) -> list[Row]:
    """The changes that were made while a job trained, to be made again before the same epochs."""
    columns = tables.revisions.c
    query = sa.select(tables.revisions).where(
        columns.job_id == rerun_of, columns.effective_epoch.isnot(None), columns.undone_at.is_(None)
    )
    made = connection.execute(query.order_by(columns.number)).mappings()
    again = {"job_id": job_id, "created_at": now, "checkpoint": None}
    return [{**revision, **again, "number": number} for number, revision in enumerate(made, 1)]


def _hold_checkpoints(connection: sa.Connection, tenant: str, checkpoints: Mapping[str, str]) -> None:
    """Lock the jobs that are started from, so that what is needed of them stays; see that it is still there."""
    for held in checkpoints.values():
        job_id, _, which = held.rpartition("/")
        lock_job(connection, tenant, job_id)
        if which == MODEL:
            query = sa.select(tables.models.c.job_id).where(tables.models.c.job_id == job_id)
            if connection.scalar(query) is None:
                raise UnknownCheckpoint(job_id, "best", pointer="/start_from/checkpoint")
            continue
        read_checkpoint(connection, job_id, int(which), pointer="/start_from/checkpoint")
