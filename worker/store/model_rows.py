"""The rows of a registered model: itself, its versions and what its aliases mean, inside a transaction under way.

Whoever changes anything of a model locks its row first, so that numbers have no gap and an alias no two meanings.
"""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from worker.domain.models import ModelVersion
from worker.errors import UnknownAlias, UnknownModel, UnknownVersion
from worker.storage import tables
from worker.store.times import moment

MODELS = tables.registered_models.c
VERSIONS = tables.model_versions.c
ALIASES = tables.model_aliases.c


class ModelKey(NamedTuple):
    """What names a model: two tenants may each have one of the same name."""

    tenant: str
    name: str

    def matches(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Whether a row of a table is of this model."""
        return sa.and_(table.c.tenant == self.tenant, table.c.name == self.name)


def lock_model(connection: sa.Connection, model: ModelKey) -> None:
    """Nobody else changes the model until the transaction ends; raises UnknownModel."""
    there = sa.select(MODELS.name).where(model.matches(tables.registered_models))
    connection.execute(there.with_for_update())
    newest_version(connection, model)


def lock_version(connection: sa.Connection, model: ModelKey, version: int) -> None:
    """Nobody deletes this version before the transaction ends; raises where somebody has."""
    lock_model(connection, model)
    read_version(connection, model, version, pointer="/version")


def change_model(connection: sa.Connection, model: ModelKey, now: float, **values: object) -> None:
    """Write into the row of a locked model, and count the change."""
    changes = {"revision": MODELS.revision + 1, "updated_at": now, **values}
    this = model.matches(tables.registered_models)
    connection.execute(sa.update(tables.registered_models).where(this).values(**changes))


def newest_version(connection: sa.Connection, model: ModelKey) -> int:
    """The newest version of the model, which is there while it has one; raises UnknownModel."""
    query = sa.select(sa.func.max(VERSIONS.version)).where(model.matches(tables.model_versions))
    newest: int | None = connection.scalar(query)
    if newest is None:
        raise UnknownModel(model.name)
    return newest


def has_version(connection: sa.Connection, model: ModelKey, version: int) -> bool:
    """Whether the version is there still."""
    return connection.scalar(sa.select(VERSIONS.version).where(_one(model, version))) is not None


def read_version(connection: sa.Connection, model: ModelKey, version: int, *, pointer: str = "") -> ModelVersion:
    """The version with this number; raises UnknownModel, UnknownVersion."""
    row = connection.execute(sa.select(tables.model_versions).where(_one(model, version))).mappings().first()
    if row is None:
        raise UnknownVersion(model.name, version, newest=newest_version(connection, model), pointer=pointer)
    return version_of(row, read_aliases(connection, model.tenant, [model.name]).get(model.name, {}))


def version_of(row: sa.RowMapping, aliases: Mapping[str, int]) -> ModelVersion:
    """The version of a row; `aliases` are those of its model."""
    values = {name: value for name, value in row.items() if name != "tenant"}
    meant = tuple(alias for alias, version in aliases.items() if version == row["version"])
    return ModelVersion(**{**values, "created_at": moment(row["created_at"])}, aliases=meant)


def read_aliases(connection: sa.Connection, tenant: str, names: list[str]) -> dict[str, dict[str, int]]:
    """The version that every alias means, by model."""
    query = sa.select(ALIASES.name, ALIASES.alias, ALIASES.version).where(
        ALIASES.tenant == tenant, ALIASES.name.in_(names)
    )
    found: dict[str, dict[str, int]] = {}
    for name, alias, version in connection.execute(query.order_by(ALIASES.alias)):
        found.setdefault(name, {})[alias] = version
    return found


def alias_row(connection: sa.Connection, model: ModelKey, alias: str) -> sa.RowMapping | None:
    """What the alias means now, and since when."""
    query = sa.select(tables.model_aliases).where(model.matches(tables.model_aliases), ALIASES.alias == alias)
    return connection.execute(query).mappings().first()


def aliased_version(connection: sa.Connection, model: ModelKey, alias: str) -> int:
    """The version that the alias means; raises UnknownAlias."""
    row = alias_row(connection, model, alias)
    if row is None:
        known = read_aliases(connection, model.tenant, [model.name]).get(model.name, {})
        raise UnknownAlias(model.name, alias, known)
    version: int = row["version"]
    return version


def _one(model: ModelKey, version: int) -> sa.ColumnElement[bool]:
    return sa.and_(model.matches(tables.model_versions), VERSIONS.version == version)
