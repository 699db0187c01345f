"""The registered models: versions that never change, and aliases whose every change is remembered.

Whoever changes anything of a model locks its row first, so that numbers have no gap and an alias no two meanings.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.domain.models import Alias, AliasChange, Change, ModelVersion, RegisteredModel, Registration
from worker.domain.records import Page
from worker.domain.work_items import LIVE
from worker.errors import NoEarlierVersion, UnknownAlias, UnknownModel, UnknownVersion, VersionInUse
from worker.storage import tables
from worker.storage.database import Database
from worker.store.times import moment

MODELS = tables.registered_models.c
VERSIONS = tables.model_versions.c
ALIASES = tables.model_aliases.c
HISTORY = tables.alias_history.c
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


class Models:
    """Rows of the tables `registered_models`, `model_versions`, `model_aliases` and `alias_history`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, registering: Registering) -> tuple[ModelVersion, bool]:
        """Make the next version of the name; what the job registered there before, and False, where it has."""
        registering.keep()
        with self._database.write() as connection:
            now = self._database.now(connection)
            version, created = register_in(self._database, connection, registering, now)
            return _version(connection, registering.registration.name, version), created

    def page(self, *, limit: int, after: str | None) -> Page[RegisteredModel]:
        """Models behind the name `after`, by name."""
        query = _models().order_by(MODELS.name).limit(limit + 1)
        if after is not None:
            query = query.where(MODELS.name > after)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
            aliases = _aliases_of(connection, [row["name"] for row in rows])
        found = tuple(_model(row, aliases.get(row["name"], {})) for row in rows[:limit])
        return Page(found, has_more=len(rows) > limit)

    def get(self, name: str) -> RegisteredModel:
        """The model as it is now."""
        with self._database.read() as connection:
            row = connection.execute(_models().where(MODELS.name == name)).mappings().first()
            if row is None:
                raise UnknownModel(name)
            return _model(row, _aliases_of(connection, [name]).get(name, {}))

    def sample_features(self, name: str, wanted: bool) -> None:
        """Have the features of requests sampled, or no longer: then what was sampled is forgotten."""
        with self._database.write() as connection:
            _locked(connection, name)
            _changed(connection, name, self._database.now(connection), drift=wanted)
            if not wanted:
                samples = tables.feature_samples
                connection.execute(sa.delete(samples).where(samples.c.name == name))

    def revisions(self, names: Iterable[str]) -> dict[str, int]:
        """How far each of these models has changed; what is not there is left out."""
        query = sa.select(MODELS.name, MODELS.revision).where(MODELS.name.in_(list(names)))
        with self._database.read() as connection:
            return {row.name: row.revision for row in connection.execute(query)}

    # versions

    def versions(self, name: str, *, limit: int, after: int | None) -> Page[ModelVersion]:
        """Versions older than `after`, newest first."""
        query = sa.select(tables.model_versions).where(VERSIONS.name == name).order_by(VERSIONS.version.desc())
        if after is not None:
            query = query.where(VERSIONS.version < after)
        with self._database.read() as connection:
            _exists(connection, name)
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
            aliases = _aliases_of(connection, [name]).get(name, {})
        return Page(tuple(_version_of(row, aliases) for row in rows[:limit]), has_more=len(rows) > limit)

    def version(self, name: str, reference: Reference, *, pointer: str = "") -> ModelVersion:
        """The version with this number, that this alias means, or (None) the newest."""
        with self._database.read() as connection:
            newest = _exists(connection, name)
            if isinstance(reference, str):
                return _version(connection, name, _meant(connection, name, reference))
            return _version(connection, name, newest if reference is None else reference, pointer=pointer)

    def delete_version(self, name: str, version: int, discard: Callable[[str], None]) -> None:
        """Forget a version that nothing needs; `discard` removes its file where no other version shares it."""
        with self._database.write() as connection:
            _locked(connection, name)
            found = _version(connection, name, version)
            if found.aliases:
                aliases = ", ".join(repr(alias) for alias in found.aliases)
                raise VersionInUse(name, version, f"it is what {aliases} means; move or delete the alias first")
            live = (
                sa.select(BATCHES.id)
                .join(tables.work_items, tables.work_items.c.id == BATCHES.id)
                .where(BATCHES.name == name, BATCHES.version == version, tables.work_items.c.state.in_(LIVE))
            )
            if (batch := connection.scalar(live.limit(1))) is not None:
                raise VersionInUse(name, version, f"batch prediction {batch} needs it; wait or delete that first")
            one = sa.and_(VERSIONS.name == name, VERSIONS.version == version)
            connection.execute(sa.delete(tables.model_versions).where(one))
            _changed(connection, name, self._database.now(connection))
        with self._database.write() as connection:  # only now: a file must not go before its row has
            _alone_with(self._database, connection, found.sha256)
            shared = sa.select(VERSIONS.name).where(VERSIONS.sha256 == found.sha256).limit(1)
            if connection.scalar(shared) is None:
                discard(found.file)

    # aliases

    def aliases(self, name: str) -> tuple[Alias, ...]:
        """What every alias of the model means now, by name."""
        query = sa.select(tables.model_aliases).where(ALIASES.name == name).order_by(ALIASES.alias)
        with self._database.read() as connection:
            _exists(connection, name)
            return tuple(_alias(row) for row in connection.execute(query).mappings())

    def alias(self, name: str, alias: str) -> Alias:
        """What the alias means now."""
        with self._database.read() as connection:
            _exists(connection, name)
            _meant(connection, name, alias)
            return _read_alias(connection, name, alias)

    def set_alias(self, name: str, alias: str, version: int) -> Alias:
        """Have the alias mean this version from now on; what it means already is no change."""
        with self._database.write() as connection:
            _locked(connection, name)
            _version(connection, name, version, pointer="/version")
            row = _alias_row(connection, name, alias)
            if row is None or row["version"] != version:
                back_to = None if row is None else row["change"]
                self._change(connection, name, alias, "set", version, row, back_to)
            return _read_alias(connection, name, alias)

    def roll_back(self, name: str, alias: str) -> Alias:
        """Have the alias mean what it meant before; once more goes back once more."""
        with self._database.write() as connection:
            _locked(connection, name)
            version = _meant(connection, name, alias)
            row = _alias_row(connection, name, alias)
            entry = None if row is None else _entry(connection, name, row["change"])
            while entry is not None:
                entry = _entry(connection, name, entry["back_to"])
                if entry is not None and entry["version"] != version and _there(connection, name, entry["version"]):
                    self._change(connection, name, alias, "rollback", entry["version"], row, entry["back_to"])
                    return _read_alias(connection, name, alias)
            raise NoEarlierVersion(name, alias, version)

    def remove_alias(self, name: str, alias: str) -> None:
        """Forget what the alias means; its history stays."""
        with self._database.write() as connection:
            _locked(connection, name)
            _meant(connection, name, alias)
            self._change(connection, name, alias, "removed", None, _alias_row(connection, name, alias), None)

    def history(self, name: str, alias: str | None, *, limit: int, before: int | None) -> Page[AliasChange]:
        """Changes of the model's aliases, or of one, older than number `before`, newest first."""
        query = sa.select(tables.alias_history).where(HISTORY.name == name).order_by(HISTORY.number.desc())
        if alias is not None:
            query = query.where(HISTORY.alias == alias)
        if before is not None:
            query = query.where(HISTORY.number < before)
        with self._database.read() as connection:
            _exists(connection, name)
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        found = (
            AliasChange(row["number"], row["alias"], row["change"], row["version"], row["previous"], moment(row["at"]))
            for row in rows[:limit]
        )
        return Page(tuple(found), has_more=len(rows) > limit)

    def _change(
        self,
        connection: sa.Connection,
        name: str,
        alias: str,
        change: Change,
        version: int | None,
        row: sa.RowMapping | None,
        back_to: int | None,
    ) -> None:
        """Write an alias of a locked model anew, and remember it."""
        now = self._database.now(connection)
        number: int = connection.execute(sa.select(MODELS.changes).where(MODELS.name == name)).scalar_one() + 1
        connection.execute(
            sa.insert(tables.alias_history).values(
                name=name,
                number=number,
                alias=alias,
                change=change,
                version=version,
                previous=None if row is None else row["version"],
                back_to=back_to,
                at=now,
            )
        )
        same = sa.and_(ALIASES.name == name, ALIASES.alias == alias)
        meaning = {"version": version, "change": number, "changed_at": now}
        if version is None:
            connection.execute(sa.delete(tables.model_aliases).where(same))
        elif row is None:
            connection.execute(sa.insert(tables.model_aliases).values(name=name, alias=alias, **meaning))
        else:
            connection.execute(sa.update(tables.model_aliases).where(same).values(**meaning))
        _changed(connection, name, now, changes=number)


def register_in(
    database: Database, connection: sa.Connection, registering: Registering, now: float
) -> tuple[int, bool]:
    """Register inside a transaction that is under way: the version's number, and whether it is new."""
    registration = registering.registration
    name = registration.name
    versions = _locked_name(connection, name, now)
    checkpoint = registration.checkpoint
    same = sa.select(sa.func.max(VERSIONS.version)).where(
        VERSIONS.name == name,
        VERSIONS.job_id == registration.job_id,
        VERSIONS.checkpoint.is_(None) if checkpoint is None else VERSIONS.checkpoint == checkpoint,
    )
    known: int | None = connection.scalar(same)
    if known is not None:
        return known, False
    _alone_with(database, connection, registration.sha256)
    registering.keep()
    values = asdict(registration)
    connection.execute(sa.insert(tables.model_versions).values(version=versions + 1, created_at=now, **values))
    _changed(connection, name, now, versions=versions + 1)
    return versions + 1, True


def _locked_name(connection: sa.Connection, name: str, now: float) -> int:
    """How many versions the name has had; nobody else changes the model until the transaction ends."""
    locking = sa.select(MODELS.versions).where(MODELS.name == name).with_for_update()
    versions: int | None = connection.scalar(locking)
    if versions is None:
        first = {"versions": 0, "changes": 0, "revision": 0, "drift": False, "created_at": now, "updated_at": now}
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(tables.registered_models).values(name=name, **first))
        except IntegrityError:  # somebody else was first, and is done by now
            pass
        versions = connection.scalar(locking)
    return versions or 0


def _locked(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.select(MODELS.name).where(MODELS.name == name).with_for_update())
    _exists(connection, name)


def _alone_with(database: Database, connection: sa.Connection, sha256: str) -> None:
    """Nobody else keeps or removes a file of this content until the transaction ends; SQLite has one writer anyway."""
    if database.kind == "postgresql":
        key = int(sha256[:15], 16)  # fits a bigint
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def locked_version(connection: sa.Connection, name: str, version: int) -> None:
    """Nobody deletes this version before the transaction ends; raises where somebody has."""
    _locked(connection, name)
    _version(connection, name, version, pointer="/version")


def _exists(connection: sa.Connection, name: str) -> int:
    """The newest version of the model, which is there while it has one."""
    newest: int | None = connection.scalar(sa.select(sa.func.max(VERSIONS.version)).where(VERSIONS.name == name))
    if newest is None:
        raise UnknownModel(name)
    return newest


def _changed(connection: sa.Connection, name: str, now: float, **values: object) -> None:
    changes = {"revision": MODELS.revision + 1, "updated_at": now, **values}
    connection.execute(sa.update(tables.registered_models).where(MODELS.name == name).values(**changes))


def _models() -> sa.Select[tuple[object, ...]]:
    """The models that have versions, and how many, and the newest."""
    counted = (
        sa.select(VERSIONS.name, sa.func.count().label("count"), sa.func.max(VERSIONS.version).label("newest"))
        .group_by(VERSIONS.name)
        .subquery()
    )
    return sa.select(tables.registered_models, counted.c.count, counted.c.newest).join(
        counted, counted.c.name == MODELS.name
    )


def _model(row: sa.RowMapping, aliases: Mapping[str, int]) -> RegisteredModel:
    return RegisteredModel(
        name=row["name"],
        versions=row["count"],
        newest=row["newest"],
        aliases=aliases,
        drift=row["drift"],
        revision=row["revision"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
    )


def _aliases_of(connection: sa.Connection, names: list[str]) -> dict[str, dict[str, int]]:
    """The version that every alias means, by model."""
    query = sa.select(ALIASES.name, ALIASES.alias, ALIASES.version).where(ALIASES.name.in_(names))
    found: dict[str, dict[str, int]] = {}
    for name, alias, version in connection.execute(query.order_by(ALIASES.alias)):
        found.setdefault(name, {})[alias] = version
    return found


def _there(connection: sa.Connection, name: str, version: int) -> bool:
    query = sa.select(VERSIONS.version).where(VERSIONS.name == name, VERSIONS.version == version)
    return connection.scalar(query) is not None


def _version(connection: sa.Connection, name: str, version: int, *, pointer: str = "") -> ModelVersion:
    query = sa.select(tables.model_versions).where(VERSIONS.name == name, VERSIONS.version == version)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownVersion(name, version, newest=_exists(connection, name), pointer=pointer)
    return _version_of(row, _aliases_of(connection, [name]).get(name, {}))


def _version_of(row: sa.RowMapping, aliases: Mapping[str, int]) -> ModelVersion:
    values = {**row, "created_at": moment(row["created_at"])}
    meant = tuple(alias for alias, version in aliases.items() if version == row["version"])
    return ModelVersion(**values, aliases=meant)


def _meant(connection: sa.Connection, name: str, alias: str) -> int:
    row = _alias_row(connection, name, alias)
    if row is None:
        raise UnknownAlias(name, alias, _aliases_of(connection, [name]).get(name, {}))
    version: int = row["version"]
    return version


def _alias_row(connection: sa.Connection, name: str, alias: str) -> sa.RowMapping | None:
    query = sa.select(tables.model_aliases).where(ALIASES.name == name, ALIASES.alias == alias)
    return connection.execute(query).mappings().first()


def _read_alias(connection: sa.Connection, name: str, alias: str) -> Alias:
    query = sa.select(tables.model_aliases).where(ALIASES.name == name, ALIASES.alias == alias)
    return _alias(connection.execute(query).mappings().one())


def _alias(row: sa.RowMapping) -> Alias:
    return Alias(row["name"], row["alias"], row["version"], moment(row["changed_at"]))


def _entry(connection: sa.Connection, name: str, number: int | None) -> sa.RowMapping | None:
    if number is None:
        return None
    query = sa.select(tables.alias_history).where(HISTORY.name == name, HISTORY.number == number)
    return connection.execute(query).mappings().first()
