"""The samples of what models were asked about: each API process keeps its own, hour by hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.principals import Principal
from worker.storage import tables
from worker.storage.database import Database
from worker.store.model_rows import ModelKey
from worker.store.times import moment

SAMPLES = tables.feature_samples.c
KEPT_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class FeatureSample:
    """Some of the rows that a process was asked about in an hour, each as likely to be here as any other."""

    since: datetime
    seen: int  # rows that the sample stands for
    columns: tuple[str, ...]
    rows: tuple[Sequence[JsonValue], ...]


class FeatureSamples:
    """Rows of the table `feature_samples`, of one tenant's models."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._tenant = principal.tenant

    def keep(
        self,
        name: str,
        process: str,
        since: float,
        *,
        seen: int,
        columns: Sequence[str],
        rows: Sequence[Sequence[JsonValue]],
    ) -> bool:
        """Write a process's sample of an hour anew; False where the model's requests are not sampled any more."""
        model, models = ModelKey(self._tenant, name), tables.registered_models
        with self._database.write() as connection:
            wanted = connection.scalar(sa.select(models.c.drift).where(model.matches(models)).with_for_update())
            if not wanted:
                return False
            now = self._database.now(connection)
            old = sa.and_(SAMPLES.process == process, SAMPLES.since == since)
            stale = sa.or_(old, SAMPLES.since < now - KEPT_SECONDS)
            connection.execute(sa.delete(tables.feature_samples).where(model.matches(tables.feature_samples), stale))
            connection.execute(
                sa.insert(tables.feature_samples).values(
                    **model._asdict(),
                    process=process,
                    since=since,
                    seen=seen,
                    columns=list(columns),
                    rows=[list(row) for row in rows],
                    updated_at=now,
                )
            )
        return True

    def of(self, name: str) -> tuple[FeatureSample, ...]:
        """The samples of the last day, oldest first."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            own = ModelKey(self._tenant, name).matches(tables.feature_samples)
            query = sa.select(tables.feature_samples).where(own, SAMPLES.since >= now - KEPT_SECONDS)
            found = connection.execute(query.order_by(SAMPLES.since, SAMPLES.process)).mappings().all()
        return tuple(
            FeatureSample(moment(row["since"]), row["seen"], tuple(row["columns"]), tuple(row["rows"])) for row in found
        )
