"""The registered models and their versions, which never change."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from engine.serving import Serving
from worker.domain.models import ModelVersion, RegisteredModel, Registration
from worker.domain.paging import Page
from worker.domain.principals import Principal
from worker.domain.work_items import LIVE
from worker.errors import UnknownModel, VersionInUse
from worker.storage import tables
from worker.storage.database import Database
from worker.store.item_rows import ITEMS
from worker.store.model_rows import (
    MODELS,
    VERSIONS,
    ModelKey,
    aliased_version,
    change_model,
    lock_model,
    lock_version,
    newest_version,
    read_aliases,
    read_version,
    version_of,
)
from worker.store.times import moment

BATCHES = tables.batch_predictions.c

Reference = int | str | None
"""Which version is meant: its number, an alias, or (None) the newest."""


@dataclass(frozen=True)
class Registering:
    """A registration, and what sees to it that the version's file is there.

    `keep` is called before the transaction, as hashing and syncing take their time; and once more inside it, where
    nobody can remove the file: then there is something to do only if somebody just has.
    """

    registration: Registration
    keep: Callable[[], object]


REVISION = sa.select(MODELS.revision).where(
    MODELS.tenant == sa.bindparam("tenant"), MODELS.name == sa.bindparam("name")
)
REVISION_TEXT = str(REVISION.compile(dialect=sqlite.dialect()))


class Models:
    """Rows of the tables `registered_models` and `model_versions`, of one tenant."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal
        self._tenant = principal.tenant

    def register(self, registering: Registering) -> tuple[ModelVersion, bool]:
        """Make the next version of the name; what the job registered there before, and False, where it has."""
        registering.keep()
        with self._database.write() as connection:
            now = self._database.now(connection)
            version, created = register_in(self._database, connection, registering, self._principal, now)
            return read_version(connection, self._key(registering.registration.name), version), created

    def page(self, *, limit: int, after: str | None) -> Page[RegisteredModel]:
        """Models behind the name `after`, by name."""
        query = self._models().order_by(MODELS.name).limit(limit + 1)
        if after is not None:
            query = query.where(MODELS.name > after)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
            aliases = read_aliases(connection, self._tenant, [row["name"] for row in rows])
        found = tuple(_model(row, aliases.get(row["name"], {})) for row in rows[:limit])
        return Page(found, has_more=len(rows) > limit)

    def get(self, name: str) -> RegisteredModel:
        """The model as it is now."""
        with self._database.read() as connection:
            row = connection.execute(self._models().where(MODELS.name == name)).mappings().first()
            if row is None:
                raise UnknownModel(name)
            return _model(row, read_aliases(connection, self._tenant, [name]).get(name, {}))

    def sample_features(self, name: str, wanted: bool) -> None:
        """Have the features of requests sampled, or no longer: then what was sampled is forgotten."""
        model = self._key(name)
        with self._database.write() as connection:
            lock_model(connection, model)
            change_model(connection, model, self._database.now(connection), drift=wanted)
            if not wanted:
                samples = tables.feature_samples
                connection.execute(sa.delete(samples).where(model.matches(samples)))

    @property
    def answers_at_once(self) -> bool:
        """Whether the database is so near that an event loop may ask it: `revision_at_once`."""
        return self._database.kind == "sqlite"

    @property
    def writes(self) -> int | None:
        """A number: while it is the same no model has changed. None where nobody can tell without asking."""
        return self._database.writes

    def revision(self, name: str) -> int | None:
        """How far the model has changed; None where it is not there."""
        with self._database.read() as connection:
            found: int | None = connection.scalar(REVISION, {"tenant": self._tenant, "name": name})
            return found

    def revision_at_once(self, name: str) -> int | None:
        """The same in ten microseconds; raises StoreUnavailable where the database would have to be waited for."""
        row = self._database.read_at_once(REVISION_TEXT, (self._tenant, name))
        return None if row is None else int(str(row[0]))

    # versions

    def versions(self, name: str, *, limit: int, after: int | None) -> Page[ModelVersion]:
        """Versions older than `after`, newest first."""
        model = self._key(name)
        query = sa.select(tables.model_versions).where(model.matches(tables.model_versions))
        if after is not None:
            query = query.where(VERSIONS.version < after)
        with self._database.read() as connection:
            newest_version(connection, model)
            rows = connection.execute(query.order_by(VERSIONS.version.desc()).limit(limit + 1)).mappings().all()
            aliases = read_aliases(connection, self._tenant, [name]).get(name, {})
        return Page(tuple(version_of(row, aliases) for row in rows[:limit]), has_more=len(rows) > limit)

    def version(self, name: str, reference: Reference, *, pointer: str = "") -> ModelVersion:
        """The version with this number, that this alias means, or (None) the newest."""
        model = self._key(name)
        with self._database.read() as connection:
            newest = newest_version(connection, model)
            if isinstance(reference, str):
                return read_version(connection, model, aliased_version(connection, model, reference))
            return read_version(connection, model, newest if reference is None else reference, pointer=pointer)

    def change_serving(self, name: str, version: int, serving: Serving) -> ModelVersion:
        """Have a version answer in another way, from the next request on."""
        model = self._key(name)
        one = sa.and_(model.matches(tables.model_versions), VERSIONS.version == version)
        with self._database.write() as connection:
            lock_version(connection, model, version)
            connection.execute(sa.update(tables.model_versions).where(one).values(**serving.model_dump()))
            change_model(connection, model, self._database.now(connection))
            return read_version(connection, model, version)

    def delete_version(self, name: str, version: int, discard: Callable[[str], None]) -> None:
        """Forget a version that nothing needs; `discard` removes its file where no version of anybody shares it."""
        model = self._key(name)
        with self._database.write() as connection:
            lock_model(connection, model)
            found = read_version(connection, model, version)
            if found.aliases:
                aliases = ", ".join(repr(alias) for alias in found.aliases)
                raise VersionInUse(name, version, f"it is what {aliases} means; move or delete the alias first")
            live = (
                sa.select(BATCHES.id)
                .join(tables.work_items, ITEMS.id == BATCHES.id)
                .where(BATCHES.name == name, BATCHES.version == version)
                .where(ITEMS.tenant == self._tenant, ITEMS.state.in_(LIVE))
            )
            if (batch := connection.scalar(live.limit(1))) is not None:
                raise VersionInUse(name, version, f"batch prediction {batch} needs it; wait or delete that first")
            one = sa.and_(model.matches(tables.model_versions), VERSIONS.version == version)
            connection.execute(sa.delete(tables.model_versions).where(one))
            change_model(connection, model, self._database.now(connection))
        with self._database.write() as connection:  # only now: a file must not go before its row has
            _alone_with(self._database, connection, found.sha256)
            shared = sa.select(VERSIONS.name).where(VERSIONS.sha256 == found.sha256).limit(1)
            if connection.scalar(shared) is None:
                discard(found.file)

    def _key(self, name: str) -> ModelKey:
        return ModelKey(self._tenant, name)

    def _models(self) -> sa.Select[tuple[object, ...]]:
        """The models that have versions, and how many, and the newest."""
        counted = (
            sa.select(VERSIONS.name, sa.func.count().label("count"), sa.func.max(VERSIONS.version).label("newest"))
            .where(VERSIONS.tenant == self._tenant)
            .group_by(VERSIONS.name)
            .subquery()
        )
        query = sa.select(tables.registered_models, counted.c.count, counted.c.newest)
        return query.join(counted, counted.c.name == MODELS.name).where(MODELS.tenant == self._tenant)


def register_in(
    database: Database, connection: sa.Connection, registering: Registering, principal: Principal, now: float
) -> tuple[int, bool]:
    """Register inside a transaction that is under way: the version's number, and whether it is new."""
    registration = registering.registration
    model = ModelKey(principal.tenant, registration.name)
    versions = _lock_name(connection, model, principal, now)
    checkpoint = registration.checkpoint
    same = sa.select(sa.func.max(VERSIONS.version)).where(
        model.matches(tables.model_versions),
        VERSIONS.job_id == registration.job_id,
        VERSIONS.checkpoint.is_(None) if checkpoint is None else VERSIONS.checkpoint == checkpoint,
    )
    known: int | None = connection.scalar(same)
    if known is not None:
        return known, False
    _alone_with(database, connection, registration.sha256)
    registering.keep()
    values = {**asdict(registration), **model._asdict(), "created_by": principal.name, "created_at": now}
    connection.execute(sa.insert(tables.model_versions).values(version=versions + 1, **values))
    change_model(connection, model, now, versions=versions + 1)
    return versions + 1, True


def _lock_name(connection: sa.Connection, model: ModelKey, principal: Principal, now: float) -> int:
    """How many versions the name has had; nobody else changes the model until the transaction ends."""
    locking = sa.select(MODELS.versions).where(model.matches(tables.registered_models)).with_for_update()
    versions: int | None = connection.scalar(locking)
    if versions is None:
        first = {"versions": 0, "changes": 0, "revision": 0, "drift": False, "created_at": now, "updated_at": now}
        own = {**model._asdict(), "created_by": principal.name}
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(tables.registered_models).values(**own, **first))
        except IntegrityError:  # somebody else was first, and is done by now
            pass
        versions = connection.scalar(locking)
    return versions or 0


def _alone_with(database: Database, connection: sa.Connection, sha256: str) -> None:
    """Nobody else keeps or removes a file of this content until the transaction ends; SQLite has one writer anyway."""
    if database.kind == "postgresql":
        key = int(sha256[:15], 16)  # fits a bigint
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _model(row: sa.RowMapping, aliases: Mapping[str, int]) -> RegisteredModel:
    return RegisteredModel(
        name=row["name"],
        versions=row["count"],
        newest=row["newest"],
        aliases=aliases,
        drift=row["drift"],
        revision=row["revision"],
        created_by=row["created_by"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
    )
