"""The worker's side of a job: claim it, write about it while the lease holds, bring it to its end.

Every write names the attempt it belongs to. An attempt that is no longer the job's own gets `LeaseLost` and has
changed nothing, so a worker that slept through its lease can do no harm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from pydantic import JsonValue

from worker import tables
from worker.database import Database
from worker.errors import LeaseLost, UnknownJob
from worker.jobs import Claim, Control, Failure, Stage, Status
from worker.records import LayersMeasured, MetricsRow
from worker.store.gradient_checks import add_reports, discard_reports
from worker.store.jobs import read_job
from worker.store.moves import Note, change, locked, move


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

    def claim(self, job_id: str, worker: str) -> Claim | None:
        """The right to train the job, or None when it is not to be had: claimed, done, or never there."""
        with self._database.write() as connection:
            try:
                row = locked(connection, job_id)
            except UnknownJob:
                return None
            now = self._database.now(connection)
            expired = row["state"] == Status.RUNNING and row["lease_until"] < now
            setbacks = row["setbacks"] + (1 if expired else 0)
            if row["state"] != Status.QUEUED and not expired:
                return None
            if row["cancel_requested_at"] is not None or setbacks >= self._max_attempts:
                return None  # the sweeper's business
            # what an attempt before this one has written describes another run
            for written in (tables.metrics, tables.layer_statistics):
                connection.execute(sa.delete(written).where(written.c.job_id == job_id))
            discard_reports(connection, job_id)
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
                    "epoch": 0,
                    "warnings": 0,
                },
            )
            return Claim(read_job(self._database, connection, job_id), worker)

    def renew(self, claim: Claim) -> Control | None:
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
            return _control(row)

    def record(
        self,
        claim: Claim,
        batch: int,
        *,
        rows: Sequence[MetricsRow] = (),
        layers: Sequence[LayersMeasured] = (),
        notes: Sequence[Note] = (),
        reports: Sequence[Mapping[str, JsonValue]] = (),
        stage: Stage = "training",
        epoch: int = 0,
        warnings: int = 0,
    ) -> Control | None:
        """Write what happened since the last batch, and hold the lease.

        Batches of an attempt are numbered from 1; one that is sent again, because its answer was lost, changes nothing.
        """
        with self._database.write() as connection:
            row = self._held(connection, claim)
            if batch <= row["batch"]:
                return _control(row)
            now = self._database.now(connection)
            if rows:
                connection.execute(sa.insert(tables.metrics), [_metrics(claim.job_id, line) for line in rows])
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
            change(connection, row, now, values, notes)
            return _control(row)

    def finish(self, claim: Claim, model: SavedModel, result: Mapping[str, JsonValue], *, stop_reason: str) -> Status:
        """Keep the model and close the job, unless somebody asked to cancel it before this moment."""
        with self._database.write() as connection:
            row = locked(connection, claim.job_id)
            if row["state"] == Status.SUCCEEDED and row["attempt"] == claim.attempt:
                return Status.SUCCEEDED  # said before, and the answer was lost
            row = self._held(connection, claim)
            now = self._database.now(connection)
            if row["cancel_requested_at"] is not None:
                move(
                    connection,
                    row,
                    Status.CANCELLED,
                    now,
                    reason="requested",
                    values={"stop_reason": "cancelled"},
                )
                return Status.CANCELLED
            connection.execute(sa.insert(tables.models).values(job_id=claim.job_id, created_at=now, **asdict(model)))
            values = {"result": dict(result), "stop_reason": stop_reason}
            move(connection, row, Status.SUCCEEDED, now, reason=stop_reason, values=values)
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
            row = self._held(connection, claim)
            now = self._database.now(connection)
            move(
                connection,
                row,
                Status.CANCELLED,
                now,
                reason="requested",
                values={"stop_reason": "cancelled"},
            )

    def release(self, claim: Claim, reason: str) -> None:
        """Give the job back to the queue, as this worker is about to end: that is no fault of the job's."""
        with self._database.write() as connection:
            row = self._held(connection, claim)
            now = self._database.now(connection)
            if row["cancel_requested_at"] is not None:
                move(
                    connection,
                    row,
                    Status.CANCELLED,
                    now,
                    reason="requested",
                    values={"stop_reason": "cancelled"},
                )
            else:
                move(connection, row, Status.QUEUED, now, reason=reason)

    def _held(self, connection: sa.Connection, claim: Claim) -> sa.RowMapping:
        row = locked(connection, claim.job_id)
        if row["state"] != Status.RUNNING or row["attempt"] != claim.attempt:
            raise LeaseLost(claim.job_id, claim.attempt)
        return row


def fail_row(connection: sa.Connection, row: sa.RowMapping, now: float, failure: Failure) -> None:
    """Close a locked job as failed."""
    values = {"error": asdict(failure), "stop_reason": "failed"}
    notes = [Note("error", asdict(failure))]
    move(connection, row, Status.FAILED, now, reason=failure.code, values=values, notes=notes)


def _control(row: sa.RowMapping) -> Control | None:
    return "cancel" if row["cancel_requested_at"] is not None else None


def _metrics(job_id: str, row: MetricsRow) -> dict[str, object]:
    return {
        "job_id": job_id,
        "epoch": row["epoch"],
        "train_cost": row.get("train_cost"),
        "dev_cost": row.get("dev_cost"),
        "row": dict(row),
    }
