"""The worker's side of a job: claim it, write about it while the lease holds, bring it to its end.

Every write names the attempt it belongs to. An attempt that is no longer the job's own gets `LeaseLost` and has
changed nothing, so a worker that slept through its lease can do no harm.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.jobs import Checkpoint, Claim, Failure, Progress, Registered, Saved, Stage, Status, Wish
from worker.domain.records import LayersMeasured, MetricsRow
from worker.errors import LeaseLost, UnknownJob
from worker.storage import tables
from worker.storage.database import Database
from worker.store.checkpoints import forget, forget_superseded, newest_checkpoint
from worker.store.gradient_checks import add_reports, discard_reports
from worker.store.job_rows import read_job
from worker.store.models import Registering, register_in
from worker.store.moves import Note, change, locked, move
from worker.store.times import rfc3339


@dataclass(frozen=True)
class SavedModel:
    """A model's file that is safe on disk; `file` is relative to the artifacts' root."""

    file: str
    sha256: str
    weights_sha256: str


class Claims:
    """Moves of the table `jobs` that need a lease, and what is written beside them."""

    def __init__(self, database: Database, *, lease_seconds: float, max_attempts: int) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts

    def next(self, job_id: str, worker: str) -> Claim | None:
        """The right to train the most urgent job of the queue that this job is, or was, in.

        A message is only a wake-up: the job that it names may be less urgent than one that came later.
        """
        columns = tables.jobs.c
        queue = sa.select(columns.queue).where(columns.id == job_id).scalar_subquery()
        query = (
            sa.select(columns.id)
            .where(columns.queue == queue, columns.state == Status.QUEUED.value)
            .order_by(columns.priority.desc(), columns.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._database.write() as connection:
            urgent = connection.scalar(query)
            return None if urgent is None else self._claim(connection, urgent, worker)

    def claim(self, job_id: str, worker: str) -> Claim | None:
        """The right to train the job, or None when it is not to be had: claimed, done, or never there."""
        with self._database.write() as connection:
            return self._claim(connection, job_id, worker)

    def _claim(self, connection: sa.Connection, job_id: str, worker: str) -> Claim | None:
        try:
            row = locked(connection, job_id)
        except UnknownJob:
            return None
        now = self._database.now(connection)
        expired = row["state"] == Status.RUNNING and row["lease_until"] < now
        setbacks = row["setbacks"] + (1 if expired else 0)
        if row["state"] != Status.QUEUED and not expired:
            return None
        if row["control"] in ("cancel", "pause") or setbacks >= self._max_attempts:
            return None  # the sweeper's business
        newest = newest_checkpoint(connection, job_id)
        kept = rewind(connection, job_id, newest)
        again = {"epoch": kept["epoch"], "step": kept["step"], "checkpoint": newest.number if newest else None}
        move(
            connection,
            row,
            Status.RUNNING,
            now,
            reason="lease_expired" if expired else None,
            attempt=row["attempt"] + 1,
            values={
                "setbacks": setbacks,
                "worker": worker,
                "lease_until": now + self._lease_seconds,
                "batch": 0,
                "started_at": row["started_at"] or now,
                "stage": "preparing",
                "epoch": kept["epoch"],
                "warnings": kept["warnings"],
            },
            notes=[Note("resumed", again)] if row["attempt"] else [],
        )
        return Claim(read_job(self._database, connection, job_id), worker)

    def renew(self, claim: Claim) -> Wish:
        """Hold the lease for another while; what somebody wants of the job meanwhile."""
        with self._database.write() as connection:
            row = self._held(connection, claim)
            now = self._database.now(connection)
            # not `change`: a heartbeat is nothing that anybody watching the job needs to see
            connection.execute(
                sa.update(tables.jobs)
                .where(tables.jobs.c.id == claim.job_id)
                .values(lease_until=now + self._lease_seconds)
            )
            return _wish(row)

    def record(
        self,
        claim: Claim,
        batch: int,
        *,
        rows: Sequence[MetricsRow] = (),
        ended: Sequence[float] = (),
        layers: Sequence[LayersMeasured] = (),
        notes: Sequence[Note] = (),
        reports: Sequence[Mapping[str, JsonValue]] = (),
        stage: Stage = "training",
        epoch: int = 0,
        epochs: int = 0,
        warnings: int = 0,
        progress: Progress | None = None,
    ) -> Wish:
        """Write what happened since the last batch, and hold the lease.

        Batches of an attempt are numbered from 1; one that is sent again, because its answer was lost, changes nothing.
        `ended` has the monotonic time at which each row's epoch ended; without it they end now. With `epochs`, those of
        the whole run, the newest row is told as an event, too.
        """
        with self._database.write() as connection:
            row = self._held(connection, claim)
            if batch <= row["batch"]:
                return _wish(row)
            now = self._database.now(connection)
            if rows:
                # The ages are this process's to know, the time is the database's.
                moments = [now - (time.monotonic() - end) for end in ended] or [now] * len(rows)
                dated = [_metrics(claim.job_id, line, at) for line, at in zip(rows, moments, strict=True)]
                connection.execute(sa.insert(tables.metrics), dated)
                if epochs:
                    metrics: dict[str, JsonValue] = {**rows[-1], "at": rfc3339(moments[-1])}
                    notes = [*notes, Note("epoch", {"epoch": epoch, "epochs": epochs, "metrics": metrics})]
            if layers:
                connection.execute(
                    sa.insert(tables.layer_statistics),
                    [{"job_id": claim.job_id, "epoch": one.epoch, "layers": list(one.layers)} for one in layers],
                )
            if reports:
                add_reports(connection, claim, reports, now)
            values = {
                "batch": batch,
                "lease_until": now + self._lease_seconds,
                "stage": stage,
                "epoch": max(epoch, row["epoch"]),
                "warnings": row["warnings"] + warnings,
            }
            if progress is not None:
                values["progress"] = asdict(progress)
            change(connection, row, now, values, notes)
            return _wish(row)

    def checkpoint(self, claim: Claim, saved: Saved) -> Registered:
        """Make a file that is safe on disk the place where the job would go on.

        Its number is new; the same file again, because the answer was lost, keeps its own. What is no longer needed
        is forgotten: the caller removes those files. An attempt that gets so far was no setback.
        """
        columns = tables.checkpoints.c
        with self._database.write() as connection:
            row = self._held(connection, claim)
            known = sa.select(columns.number).where(columns.job_id == claim.job_id, columns.file == saved.file)
            number = connection.scalar(known)
            if number is not None:
                return Registered(number, _wish(row), ())
            now = self._database.now(connection)
            number = row["checkpoint"] + 1
            columns_of = asdict(saved) | {"metrics": dict(saved.metrics), "number": number, "created_at": now}
            connection.execute(sa.insert(tables.checkpoints).values(job_id=claim.job_id, **columns_of))
            values = {"checkpoint": number, "setbacks": 0, "lease_until": now + self._lease_seconds}
            story = {"number": number, "epoch": saved.epoch, "step": saved.step, "kind": saved.kind}
            change(connection, row, now, values, [Note("checkpoint", story)])
            return Registered(number, _wish(row), forget_superseded(connection, claim.job_id))

    def fall_back(self, claim: Claim, number: int | None) -> tuple[str, ...]:
        """Forget the checkpoints behind `number`, all of them if None, as they are damaged; their files."""
        columns = tables.checkpoints.c
        with self._database.write() as connection:
            row = self._held(connection, claim)
            later = sa.select(columns.number).where(columns.job_id == claim.job_id, columns.number > (number or 0))
            files = forget(connection, claim.job_id, list(connection.scalars(later)))
            newest = newest_checkpoint(connection, claim.job_id)
            kept = rewind(connection, claim.job_id, newest)
            again = {"epoch": kept["epoch"], "step": kept["step"], "checkpoint": newest.number if newest else None}
            values = {"epoch": kept["epoch"], "warnings": kept["warnings"]}
            change(connection, row, self._database.now(connection), values, [Note("resumed", again)])
            return files

    def environment(self, claim: Claim, environment: Mapping[str, JsonValue]) -> None:
        """Note where the job trains: kernels, threads, versions."""
        with self._database.write() as connection:
            row = self._held(connection, claim)
            change(connection, row, self._database.now(connection), {"environment": dict(environment)})

    def applied(self, claim: Claim, number: int, epoch: int, checkpoint: int | None) -> None:
        """Note that a revision is in force from this epoch on, and the checkpoint that was taken before."""
        columns = tables.revisions.c
        with self._database.write() as connection:
            row = self._held(connection, claim)
            this = sa.and_(columns.job_id == claim.job_id, columns.number == number)
            revision = connection.execute(sa.select(tables.revisions).where(this)).mappings().one()
            if revision["effective_epoch"] == epoch and revision["checkpoint"] is not None:
                return  # said before, by this attempt or by one whose epochs are trained again
            connection.execute(
                sa.update(tables.revisions).where(this).values(effective_epoch=epoch, checkpoint=checkpoint)
            )
            epochs = revision["spec"]["training"]["epochs"]
            story = {"number": number, "epoch": epoch, "checkpoint": checkpoint, "after": revision["after"]}
            note = Note("hyperparameters_changed", story)
            change(connection, row, self._database.now(connection), {"epochs": epochs}, [note])

    def paused(self, claim: Claim) -> Status:
        """Confirm that the training rests on its newest checkpoint; if it was resumed meanwhile, it waits again."""
        with self._database.write() as connection:
            row = locked(connection, claim.job_id)
            if row["state"] == Status.PAUSED and row["attempt"] == claim.attempt:
                return Status.PAUSED  # said before, and the answer was lost
            row = self._held(connection, claim)
            return self._let_go(connection, row, "resumed")

    def finish(
        self,
        claim: Claim,
        model: SavedModel,
        result: Mapping[str, JsonValue],
        *,
        stop_reason: str,
        registering: Registering | None = None,
    ) -> Status:
        """Keep the model, register it if that is wanted, and close the job, unless somebody asked to cancel it."""
        with self._database.write() as connection:
            row = locked(connection, claim.job_id)
            if row["state"] == Status.SUCCEEDED and row["attempt"] == claim.attempt:
                return Status.SUCCEEDED  # said before, and the answer was lost
            row = self._held(connection, claim)
            now = self._database.now(connection)
            if row["control"] == "cancel":
                cancel_row(connection, row, now)
                return Status.CANCELLED
            connection.execute(sa.insert(tables.models).values(job_id=claim.job_id, created_at=now, **asdict(model)))
            story = dict(result)
            if row["rerun_of"] is not None:
                story["reproduces"] = _reproduces(connection, row["rerun_of"], model.weights_sha256)
            values = {"result": story, "stop_reason": stop_reason}
            notes: list[Note] = []
            if registering is not None:
                name = registering.registration.name
                version, _ = register_in(self._database, connection, registering, now)
                notes.append(Note("registered", {"model": name, "version": version}))
            move(connection, row, Status.SUCCEEDED, now, reason=stop_reason, values=values, notes=notes)
            return Status.SUCCEEDED

    def fail(self, claim: Claim, failure: Failure) -> None:
        """Close the job as one that cannot be trained."""
        with self._database.write() as connection:
            row = self._held(connection, claim)
            now = self._database.now(connection)
            fail_row(connection, row, now, failure)

    def cancelled(self, claim: Claim) -> None:
        """Confirm that the training stopped because somebody asked for it."""
        with self._database.write() as connection:
            cancel_row(connection, self._held(connection, claim), self._database.now(connection))

    def release(self, claim: Claim, reason: str) -> Status:
        """Give the job back to the queue, as this worker is about to end: that is no fault of the job's."""
        with self._database.write() as connection:
            return self._let_go(connection, self._held(connection, claim), reason)

    def _let_go(self, connection: sa.Connection, row: sa.RowMapping, reason: str) -> Status:
        now = self._database.now(connection)
        if row["control"] == "cancel":
            cancel_row(connection, row, now)
            return Status.CANCELLED
        if row["control"] == "pause":
            move(connection, row, Status.PAUSED, now, reason="requested")
            return Status.PAUSED
        move(connection, row, Status.QUEUED, now, reason=reason)
        return Status.QUEUED

    def _held(self, connection: sa.Connection, claim: Claim) -> sa.RowMapping:
        row = locked(connection, claim.job_id)
        if row["state"] != Status.RUNNING or row["attempt"] != claim.attempt:
            raise LeaseLost(claim.job_id, claim.attempt)
        return row


def rewind(connection: sa.Connection, job_id: str, to: Checkpoint | None) -> dict[str, int]:
    """Discard what a locked job has measured behind a checkpoint, or altogether; what it stands at then.

    The next attempt trains those epochs again, so that each stands there exactly once.
    """
    epoch, step = (to.epoch, to.step) if to else (0, 0)
    for written in (tables.metrics, tables.layer_statistics):
        connection.execute(sa.delete(written).where(written.c.job_id == job_id, written.c.epoch > epoch))
    discard_reports(connection, job_id, after=epoch if to else None)
    return {"epoch": epoch, "step": step, "warnings": len(warnings_until(connection, job_id, epoch))}


def warnings_until(connection: sa.Connection, job_id: str, epoch: int | None) -> tuple[Mapping[str, JsonValue], ...]:
    """What the job was warned of in epochs that still count; those that were trained again do not."""
    columns = tables.events.c
    query = (
        sa.select(columns.type, columns.data)
        .where(columns.job_id == job_id, columns.type.in_(("warning", "resumed")))
        .order_by(columns.seq)
    )
    counted: list[Mapping[str, JsonValue]] = []
    for kind, data in [*connection.execute(query), *([] if epoch is None else [("resumed", {"epoch": epoch})])]:
        if kind == "warning":
            counted.append(data)
        else:
            counted = [one for one in counted if data["epoch"] and (one.get("epoch") or 0) <= data["epoch"]]
    return tuple(counted)


def cancel_row(connection: sa.Connection, row: sa.RowMapping, now: float) -> None:
    """Close a locked job as cancelled."""
    move(connection, row, Status.CANCELLED, now, reason="requested", values={"stop_reason": "cancelled"})


def fail_row(connection: sa.Connection, row: sa.RowMapping, now: float, failure: Failure) -> None:
    """Close a locked job as failed."""
    values = {"error": asdict(failure), "stop_reason": "failed"}
    notes = [Note("error", asdict(failure))]
    move(connection, row, Status.FAILED, now, reason=failure.code, values=values, notes=notes)


def _reproduces(connection: sa.Connection, job_id: str, weights_sha256: str) -> dict[str, JsonValue]:
    """Whether another job has learned these very weights; null where it has none (any more)."""
    weights = connection.scalar(sa.select(tables.models.c.weights_sha256).where(tables.models.c.job_id == job_id))
    return {"job": job_id, "agrees": None if weights is None else weights == weights_sha256}


def _wish(row: sa.RowMapping) -> Wish:
    return Wish(row["control"], row["revision"])


def _metrics(job_id: str, row: MetricsRow, at: float) -> dict[str, object]:
    return {
        "job_id": job_id,
        "epoch": row["epoch"],
        "train_cost": row.get("train_cost"),
        "dev_cost": row.get("dev_cost"),
        "row": dict(row),
        "at": at,
    }
