"""What an attempt writes about its job while it trains: measurements, checkpoints, revisions, the model at the end.

Every write names the attempt, is refused once that is no longer the job's own, and holds the lease.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.jobs import Progress, Registered, Saved, Stage
from worker.domain.measurements import LayersMeasured, MetricsRow
from worker.domain.work_items import Claim, Signals, Status
from worker.storage import tables
from worker.storage.database import Database
from worker.store.checkpoints import forget, forget_superseded, newest_checkpoint
from worker.store.gradient_reports import add_reports
from worker.store.item_rows import NewEvent
from worker.store.job_rows import change_job, rewind
from worker.store.models import Registering, register_in
from worker.store.times import rfc3339
from worker.store.work_items import Completion, WorkItems, signals


@dataclass(frozen=True)
class SavedModel:
    """A model's file that is safe on disk; `file` is relative to the artifacts' root."""

    file: str
    sha256: str
    weights_sha256: str


class TrainingLog:
    """Writes of attempts at training jobs."""

    def __init__(self, database: Database, items: WorkItems) -> None:
        self._database = database
        self._items = items

    def record(
        self,
        claim: Claim,
        batch: int,
        *,
        rows: Sequence[MetricsRow] = (),
        ended: Sequence[float] = (),
        layers: Sequence[LayersMeasured] = (),
        events: Sequence[NewEvent] = (),
        reports: Sequence[Mapping[str, JsonValue]] = (),
        stage: Stage = "training",
        epoch: int = 0,
        epochs: int = 0,
        warnings: int = 0,
        progress: Progress | None = None,
    ) -> Signals:
        """Write what happened since the last batch.

        Batches of an attempt are numbered from 1; one that is sent again, because its answer was lost, changes nothing.
        `ended` has the monotonic time at which each row's epoch ended; without it they end now. With `epochs`, those of
        the whole run, the newest row is told as an event, too.
        """
        with self._database.write() as connection:
            row = self._items.hold(connection, claim)
            if batch <= row["batch"]:
                return signals(row)
            now, here = self._database.now(connection), time.monotonic()
            if rows:
                # The ages are this process's to know, the time is the database's. Each clock is read once: an epoch
                # would be older than the one before it if the writer was held up between two looks.
                moments = [now - (here - end) for end in ended] or [now] * len(rows)
                dated = [_metrics(claim.item_id, line, at) for line, at in zip(rows, moments, strict=True)]
                connection.execute(sa.insert(tables.metrics), dated)
                if epochs:
                    metrics: dict[str, JsonValue] = {**rows[-1], "at": rfc3339(moments[-1])}
                    events = [*events, NewEvent("epoch", {"epoch": epoch, "epochs": epochs, "metrics": metrics})]
            if layers:
                connection.execute(
                    sa.insert(tables.layer_statistics),
                    [{"job_id": claim.item_id, "epoch": one.epoch, "layers": list(one.layers)} for one in layers],
                )
            if reports:
                add_reports(connection, claim, reports, now)
            values = {
                **self._items.lease(now),
                "batch": batch,
                "stage": stage,
                "epoch": max(epoch, row["epoch"]),
                "warnings": row["warnings"] + warnings,
            }
            if progress is not None:
                values["progress"] = asdict(progress)
            change_job(connection, row, now, values, events)
            return signals(row)

    def checkpoint(self, claim: Claim, saved: Saved) -> Registered:
        """Make a file that is safe on disk the place where the job would go on.

        Its number is new; the same file again, because the answer was lost, keeps its own. What is no longer needed
        is forgotten: the caller removes those files. An attempt that gets so far was no setback.
        """
        columns = tables.checkpoints.c
        with self._database.write() as connection:
            row = self._items.hold(connection, claim)
            known = sa.select(columns.number).where(columns.job_id == claim.item_id, columns.file == saved.file)
            number = connection.scalar(known)
            if number is not None:
                return Registered(number, signals(row), ())
            now = self._database.now(connection)
            number = row["checkpoint"] + 1
            columns_of = asdict(saved) | {"metrics": dict(saved.metrics), "number": number, "created_at": now}
            connection.execute(sa.insert(tables.checkpoints).values(job_id=claim.item_id, **columns_of))
            values = {"checkpoint": number, "setbacks": 0, **self._items.lease(now)}
            story = {"number": number, "epoch": saved.epoch, "step": saved.step, "kind": saved.kind}
            change_job(connection, row, now, values, [NewEvent("checkpoint", story)])
            return Registered(number, signals(row), forget_superseded(connection, claim.item_id))

    def fall_back(self, claim: Claim, number: int | None) -> tuple[str, ...]:
        """Forget the checkpoints behind `number`, all of them if None, as they are damaged; their files."""
        columns = tables.checkpoints.c
        with self._database.write() as connection:
            row = self._items.hold(connection, claim)
            later = sa.select(columns.number).where(columns.job_id == claim.item_id, columns.number > (number or 0))
            files = forget(connection, claim.item_id, list(connection.scalars(later)))
            kept, resumed = rewind(connection, claim.item_id, newest_checkpoint(connection, claim.item_id))
            change_job(connection, row, self._database.now(connection), kept, [resumed])
            return files

    def note_environment(self, claim: Claim, environment: Mapping[str, JsonValue]) -> None:
        """Note where the job trains: kernels, threads, versions."""
        with self._database.write() as connection:
            row = self._items.hold(connection, claim)
            change_job(connection, row, self._database.now(connection), {"environment": dict(environment)})

    def note_applied(self, claim: Claim, number: int, epoch: int, checkpoint: int | None) -> None:
        """Note that a revision is in force from this epoch on, and the checkpoint that was taken before."""
        columns = tables.revisions.c
        with self._database.write() as connection:
            row = self._items.hold(connection, claim)
            this = sa.and_(columns.job_id == claim.item_id, columns.number == number)
            revision = connection.execute(sa.select(tables.revisions).where(this)).mappings().one()
            if revision["effective_epoch"] == epoch and revision["checkpoint"] is not None:
                return  # said before, by this attempt or by one whose epochs are trained again
            connection.execute(
                sa.update(tables.revisions).where(this).values(effective_epoch=epoch, checkpoint=checkpoint)
            )
            epochs = revision["spec"]["training"]["epochs"]
            story = {"number": number, "epoch": epoch, "checkpoint": checkpoint, "after": revision["after"]}
            told = [NewEvent("hyperparameters_changed", story)]
            change_job(connection, row, self._database.now(connection), {"epochs": epochs}, told)

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

        def complete(connection: sa.Connection, row: sa.RowMapping, now: float) -> Completion:
            kept = {"job_id": claim.item_id, "created_at": now, **asdict(model)}
            connection.execute(sa.insert(tables.models).values(**kept))
            values: dict[str, object] = {"stop_reason": stop_reason}
            if row["rerun_of"] is not None:
                agreement = _reproduces(connection, row["rerun_of"], model.weights_sha256)
                values["result"] = {**result, "reproduces": agreement}
            events: list[NewEvent] = []
            if registering is not None:
                name = registering.registration.name
                version, _ = register_in(self._database, connection, registering, claim.item.principal, now)
                events.append(NewEvent("registered", {"model": name, "version": version}))
            return Completion(stop_reason, values, events)

        return self._items.succeed(claim, result, complete)


def _reproduces(connection: sa.Connection, job_id: str, weights_sha256: str) -> dict[str, JsonValue]:
    """Whether another job has learned these very weights; null where it has none (any more)."""
    weights = connection.scalar(sa.select(tables.models.c.weights_sha256).where(tables.models.c.job_id == job_id))
    return {"job": job_id, "agrees": None if weights is None else weights == weights_sha256}


def _metrics(job_id: str, row: MetricsRow, at: float) -> dict[str, object]:
    return {
        "job_id": job_id,
        "epoch": row["epoch"],
        "train_cost": row.get("train_cost"),
        "dev_cost": row.get("dev_cost"),
        "row": dict(row),
        "at": at,
    }
