"""Inserting drafts as jobs, as many as there are in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

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


class NewJob(NamedTuple):
    """A job to be: a draft, whose it will be, and the idempotency key of the request for it, if it had one."""

    draft: Draft
    principal: Principal
    keyed: KeyedRequest | None = None


class NewJobs:
    """Rows of the table `jobs` on their way in, of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._room = Room()

    def create(self, wanted: Sequence[NewJob], *, max_queued: int) -> list[Job | WorkerError]:
        """Queue jobs that were asked for together; what becomes of each, its job or why there is none.

        Their datasets cannot be deleted from here on until they are done.
        """
        # Those that start from another job lock it: each has its own transaction, as two processes might lock several
        # in different orders.
        groups = [
            [one for one in wanted if not one.draft.checkpoints],
            *([one] for one in wanted if one.draft.checkpoints),
        ]
        outcomes: dict[int, Job | WorkerError] = {}
        for together in filter(None, groups):
            made = insert_jobs(self._database, self._room, together, max_queued)
            outcomes |= {id(one): outcome for one, outcome in zip(together, made, strict=True)}
        return [outcomes[id(one)] for one in wanted]


class Room:
    """How many jobs may still be queued: they are counted now and then, and what is added meanwhile is added up."""

    def __init__(self) -> None:
        self._waiting = 0  # jobs, as last counted
        self._counted_at = float("-inf")

    def take(self, connection: sa.Connection, max_queued: int) -> None:
        """Raise `QueueFull`, or count one more."""
        if monotonic() - self._counted_at > COUNT_SECONDS:
            self._waiting = connection.scalar(WAITING) or 0
            self._counted_at = monotonic()
        if self._waiting >= max_queued:
            raise QueueFull(max_queued)
        self._waiting += 1


def insert_jobs(database: Database, room: Room, wanted: Sequence[NewJob], max_queued: int) -> list[Job | WorkerError]:
    """Queue jobs in one transaction; what becomes of each."""
    outcomes: list[Job | WorkerError] = []
    try:
        with database.write() as connection:
            insertion = Insertion(database, connection, room, max_queued)
            for one in wanted:
                try:
                    outcomes.append(insertion.add(one))
                except WorkerError as error:
                    outcomes.append(error)
            insertion.write()
    except (StorageFull, StoreUnavailable) as error:  # of none in particular; each in turn would wait for ever
        return [error] * len(wanted)
    return outcomes


class Insertion:
    """The rows of one transaction: what is wrong with a draft is found before anything is written."""

    def __init__(self, database: Database, connection: sa.Connection, room: Room, max_queued: int) -> None:
        self._database = database
        self._connection = connection
        self._room = room
        self._max_queued = max_queued
        self._now = database.now(connection)
        self._live = served(connection, self._now)
        self._items: list[Row] = []
        self._jobs: list[Row] = []
        self._events: list[Row] = []
        self._inputs: list[Row] = []
        self._revisions: list[Row] = []
        self._ahead: dict[tuple[str, int], int] = {}
        self._locked: set[str] = set()  # datasets that are there, and stay

    def add(self, wanted: NewJob) -> Job:
        """The job of a draft, once it is written; that of an earlier attempt at the request, if there was one."""
        draft, principal, connection = wanted.draft, wanted.principal, self._connection
        if (known := created_before(connection, wanted.keyed)) is not None:
            return read_job(self._database, connection, principal.tenant, known)
        self._room.take(connection, self._max_queued)
        self._lock(draft.datasets)
        _lock_checkpoints(connection, principal.tenant, draft.checkpoints)
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
        note_created(connection, wanted.keyed, job_id)
        return job_of({**UNTOUCHED, **item, **row}, self._live, position)

    def _lock(self, datasets: Mapping[str, str]) -> None:
        """Lock the datasets' rows against a deletion at the same moment."""
        for reference, dataset_id in datasets.items():
            if dataset_id not in self._locked:
                if self._connection.scalar(LOCKED, {"dataset_id": dataset_id}) is None:
                    raise UnknownDataset(reference, pointer="/data/train", hint="It was deleted just now.")
                self._locked.add(dataset_id)

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
        if (queue, priority) not in self._ahead:
            asked = {"queue": queue, "priority": priority}
            self._ahead[queue, priority] = self._connection.scalar(NO_LESS_URGENT, asked) or 0
        ahead = self._ahead[queue, priority]
        ahead += sum(row["queue"] == queue and row["priority"] >= priority for row in self._items)
        return None if ahead >= MOST_COUNTED else ahead + 1


WAITING = (
    sa.select(sa.func.count())
    .select_from(tables.work_items)
    .where(ITEMS.kind == KIND, ITEMS.state == Status.QUEUED.value)
)
NO_LESS_URGENT = count_waiting(ITEMS.priority >= sa.bindparam("priority"))
"""All that will be claimed before one that is new."""

LOCKED = (
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


def _lock_checkpoints(connection: sa.Connection, tenant: str, checkpoints: Mapping[str, str]) -> None:
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
