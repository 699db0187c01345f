"""The aliases of registered models: what each means, and every change of that."""

import sqlalchemy as sa

from worker.domain.models import Alias, AliasChange, ChangeKind
from worker.domain.paging import Page
from worker.domain.principals import Principal
from worker.errors import NoEarlierVersion
from worker.storage import tables
from worker.storage.database import Database
from worker.store.model_rows import (
    ALIASES,
    MODELS,
    ModelKey,
    alias_row,
    aliased_version,
    change_model,
    has_version,
    lock_model,
    newest_version,
    read_version,
)
from worker.store.times import moment

HISTORY = tables.alias_history.c


class ModelAliases:
    """Rows of the tables `model_aliases` and `alias_history`, of one tenant."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal

    def all(self, name: str) -> tuple[Alias, ...]:
        """What every alias of the model means now, by name."""
        model = self._key(name)
        query = sa.select(tables.model_aliases).where(model.matches(tables.model_aliases)).order_by(ALIASES.alias)
        with self._database.read() as connection:
            newest_version(connection, model)
            return tuple(_alias(row) for row in connection.execute(query).mappings())

    def get(self, name: str, alias: str) -> Alias:
        """What the alias means now."""
        model = self._key(name)
        with self._database.read() as connection:
            newest_version(connection, model)
            aliased_version(connection, model, alias)
            return _read_alias(connection, model, alias)

    def set(self, name: str, alias: str, version: int, who: str | None = None) -> Alias:
        """Have the alias mean this version from now on; what it means already is no change."""
        model = self._key(name)
        with self._database.write() as connection:
            lock_model(connection, model)
            read_version(connection, model, version, pointer="/version")
            row = alias_row(connection, model, alias)
            if row is None or row["version"] != version:
                back_to = None if row is None else row["change"]
                self._change(connection, model, alias, "set", version, row, back_to, who)
            return _read_alias(connection, model, alias)

    def roll_back(self, name: str, alias: str, who: str | None = None) -> Alias:
        """Have the alias mean what it meant before; once more goes back once more."""
        model = self._key(name)
        with self._database.write() as connection:
            lock_model(connection, model)
            version = aliased_version(connection, model, alias)
            row = alias_row(connection, model, alias)
            entry = None if row is None else _entry(connection, model, row["change"])
            while entry is not None:
                entry = _entry(connection, model, entry["back_to"])
                if (
                    entry is not None
                    and entry["version"] != version
                    and has_version(connection, model, entry["version"])
                ):
                    back_to = entry["back_to"]
                    self._change(connection, model, alias, "rollback", entry["version"], row, back_to, who)
                    return _read_alias(connection, model, alias)
            raise NoEarlierVersion(name, alias, version)

    def remove(self, name: str, alias: str, who: str | None = None) -> None:
        """Forget what the alias means; its history stays."""
        model = self._key(name)
        with self._database.write() as connection:
            lock_model(connection, model)
            aliased_version(connection, model, alias)
            self._change(connection, model, alias, "removed", None, alias_row(connection, model, alias), None, who)

    def history(self, name: str, alias: str | None, *, limit: int, before: int | None) -> Page[AliasChange]:
        """Changes of the model's aliases, or of one, older than number `before`, newest first."""
        model = self._key(name)
        query = sa.select(tables.alias_history).where(model.matches(tables.alias_history))
        if alias is not None:
            query = query.where(HISTORY.alias == alias)
        if before is not None:
            query = query.where(HISTORY.number < before)
        with self._database.read() as connection:
            newest_version(connection, model)
            rows = connection.execute(query.order_by(HISTORY.number.desc()).limit(limit + 1)).mappings().all()
        found = (
            AliasChange(
                number=row["number"],
                alias=row["alias"],
                change=row["change"],
                version=row["version"],
                previous=row["previous"],
                who=row["who"],
                at=moment(row["at"]),
            )
            for row in rows[:limit]
        )
        return Page(tuple(found), has_more=len(rows) > limit)

    def _change(
        self,
        connection: sa.Connection,
        model: ModelKey,
        alias: str,
        change: ChangeKind,
        version: int | None,
        row: sa.RowMapping | None,
        back_to: int | None,
        who: str | None,
    ) -> None:
        """Write an alias of a locked model anew, and remember it."""
        now = self._database.now(connection)
        changes = sa.select(MODELS.changes).where(model.matches(tables.registered_models))
        number: int = connection.execute(changes).scalar_one() + 1
        connection.execute(
            sa.insert(tables.alias_history).values(
                **model._asdict(),
                number=number,
                alias=alias,
                change=change,
                version=version,
                previous=None if row is None else row["version"],
                back_to=back_to,
                who=who or self._principal.name,
                at=now,
            )
        )
        same = sa.and_(model.matches(tables.model_aliases), ALIASES.alias == alias)
        meaning = {"version": version, "change": number, "changed_at": now}
        if version is None:
            connection.execute(sa.delete(tables.model_aliases).where(same))
        elif row is None:
            connection.execute(sa.insert(tables.model_aliases).values(**model._asdict(), alias=alias, **meaning))
        else:
            connection.execute(sa.update(tables.model_aliases).where(same).values(**meaning))
        change_model(connection, model, now, changes=number)

    def _key(self, name: str) -> ModelKey:
        return ModelKey(self._principal.tenant, name)


def _read_alias(connection: sa.Connection, model: ModelKey, alias: str) -> Alias:
    query = sa.select(tables.model_aliases).where(model.matches(tables.model_aliases), ALIASES.alias == alias)
    return _alias(connection.execute(query).mappings().one())


def _alias(row: sa.RowMapping) -> Alias:
    return Alias(row["name"], row["alias"], row["version"], moment(row["changed_at"]))


def _entry(connection: sa.Connection, model: ModelKey, number: int | None) -> sa.RowMapping | None:
    if number is None:
        return None
    query = sa.select(tables.alias_history).where(model.matches(tables.alias_history), HISTORY.number == number)
    return connection.execute(query).mappings().first()
