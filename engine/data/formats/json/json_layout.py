"""How a JSON file lays out its table: rows as objects, or what pandas' `to_json` writes for each of its orients."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from engine.data.formats.guess import Guess
from engine.data.formats.json.json_text import JsonText
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

FIRST = 3  # keys or items of a member that are kept to look at
RECORDS = "send a list of objects, each a row, as pandas' to_json(orient='records') does"

Kind = Literal["list", "lines", "wrapped", "split", "arrays", "columns", "index"]


@dataclass(frozen=True)
class Layout:
    """What a file is: a list of rows, one row a line, or one object in which the rows or the columns are found.

    wrapped: the rows are the list of objects under `key`. split: they are arrays there, of the columns `names`.
    arrays: an array a column. columns: an object a column, keyed by row. index: an object a row, keyed by the row.
    """

    kind: Kind
    key: str = ""
    names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()  # fields of every row that are no column: a written index
    labels: tuple[Any, ...] = ()  # first labels of rows, where they are left out
    turned: bool = False  # rows and columns could be meant the other way round
    others: tuple[str, ...] = ()  # members of the object that are passed over

    def guesses(self) -> Iterator[Guess]:
        """What the file does not say itself."""
        if self.others:
            yield Guess.of(
                "layout",
                f"the rows are the list {self.key[:40]!r} of the object; passed over are "
                f"{', '.join(map(repr, self.others[:3]))}",
            )
        if self.turned:
            rows, columns = ("outer", "inner") if self.kind == "index" else ("inner", "outer")
            yield Guess.of(
                "layout",
                f"of the objects in the object, the {rows} keys are taken for rows, as they are the more, "
                f"and the {columns} ones for columns; if it is the other way round, {RECORDS}",
            )
        for name in self.left_out:
            yield Guess.of("index", f"{name!r} is the index of the table's schema, and left out")
        if self.labels:
            yield Guess.of(
                "index", f"the labels of rows, such as {self.labels[0]!r}, are left out; send them as a column"
            )


@dataclass
class _Member:
    """One key of an object, and as much of its value as tells the layout."""

    key: str
    mark: str  # the first character of the value
    value: Any = None  # of a member that is needed whole
    inner: str = ""  # the first character of the first item
    count: int = 0
    first: list[Any] = field(default_factory=list)  # keys of an object, scalars of an array
    keys: bytes = b""  # a hash of all keys
    flat: bool = True  # no item is an array or an object


def layout_of(path: Path, limits: ReadLimits) -> Layout:
    """Look through the file; DataError where its one object is no table, or could be two."""
    with JsonText(path, limits) as text:
        mark = text.ahead()
        if mark == "[":
            return Layout("list")
        if mark != "{":
            return Layout("lines")
        members: list[_Member] = []
        more = 0  # so many keys are those of rows; of the members that follow nothing is kept
        for member in _members(text):
            if len(members) < limits.max_features:
                members.append(member)
            elif member.mark == "{":
                more += 1
            else:
                raise DataError(f"the object has more than the {limits.max_features} columns that are allowed")
        if all(member.mark not in "[{" for member in members) or text.ahead():
            return Layout("lines")
    return _layout_of_object(members, more)


def _members(text: JsonText) -> Iterator[_Member]:
    for key in text.members():
        member = _Member(key, text.ahead())
        if member.mark in "[{" and key not in ("columns", "schema"):
            _look_into(member, text)
        else:
            member.value = text.value(f"the value of {key[:40]!r}")
            member.flat = member.mark not in "[{"
        yield member


def _look_into(member: _Member, text: JsonText) -> None:
    digest = blake2b(digest_size=16)
    for item in text.members() if member.mark == "{" else text.items():
        mark = text.ahead()
        value = text.value(f"what {member.key[:40]!r} holds at {item!r}")
        member.count += 1
        member.inner = member.inner or mark
        member.flat = member.flat and mark not in "[{"
        if isinstance(item, str):
            digest.update(item.encode("utf-8", "surrogatepass") + b"\0")
        if member.count <= FIRST and mark not in "[{":
            member.first.append(item if isinstance(item, str) else value)
    member.keys = digest.digest()


def _layout_of_object(members: list[_Member], more: int) -> Layout:
    by_key = {member.key: member for member in members}
    if len(by_key) < len(members):
        twice = next(member.key for place, member in enumerate(members) if by_key[member.key] is not member)
        raise DataError(f"the object has the key {twice[:40]!r} twice; give every column a name of its own")
    names, data = by_key.get("columns"), by_key.get("data")
    if names is not None and data is not None and isinstance(names.value, list) and data.inner == "[":
        columns = tuple(map(str, names.value))
        index = by_key.get("index")
        return Layout("split", "data", columns, labels=_labels(index.first) if index else ())
    lists = [member for member in members if member.mark == "[" and member.inner == "{"]
    if len(lists) == 1:
        schema = by_key.get("schema")
        others = tuple(member.key[:40] for member in members if member not in (lists[0], schema))
        left_out = _index_of(schema.value if schema else None)
        return Layout("wrapped", lists[0].key, left_out=left_out, others=others)
    if lists:
        found = " and ".join(repr(member.key[:40]) for member in lists[:2])
        raise DataError(f"the object holds lists of objects as {found}; {RECORDS}")
    if all(member.mark == "[" and member.flat for member in members):
        return _arrays(members)
    if all(member.mark == "{" and member.flat for member in members):
        return _nested(members, more)
    if any(member.inner == "[" for member in members):
        raise DataError(f"the object holds arrays of arrays, whose columns have no names; {RECORDS}")
    return Layout("lines")


def _arrays(members: list[_Member]) -> Layout:
    longest, shortest = max(members, key=_count), min(members, key=_count)
    if longest.count != shortest.count:
        raise DataError(
            f"column {shortest.key[:40]!r} has {shortest.count} values, and {longest.key[:40]!r} {longest.count}; "
            "every column has one for each row"
        )
    return Layout("arrays")


def _count(member: _Member) -> int:
    return member.count


def _nested(members: list[_Member], more: int) -> Layout:
    """Objects by column or by row: labels of rows are numbers, names of columns mostly are not; rows are the more."""
    first, alike = members[0], len({member.keys for member in members}) == 1
    outer = all(_is_number(member.key) for member in members)
    inner = bool(first.first) and all(map(_is_number, first.first))
    if not alike:  # rows leave fields out, but a column has every row
        if inner and not outer:
            other = next(member for member in members if member.keys != first.keys)
            raise DataError(f"columns {first.key[:40]!r} and {other.key[:40]!r} have other rows; {RECORDS}")
        rows = True
    elif inner != outer:
        rows = outer
    elif len(members) + more == first.count:
        raise DataError(f"the objects in the object may be rows or columns, {first.count} of each; {RECORDS}")
    else:
        rows = len(members) + more > first.count
    labels = _labels([member.key for member in members[:FIRST]] if rows else first.first)
    return Layout("index" if rows else "columns", labels=labels, turned=inner == outer)


def _is_number(key: str) -> bool:
    return key.removeprefix("-").isdecimal()


def _labels(first: list[Any]) -> tuple[Any, ...]:
    """Labels of rows that say more than their place."""
    return () if all(str(label) == str(place) for place, label in enumerate(first)) else tuple(first)


def _index_of(schema: Any) -> tuple[str, ...]:
    """The fields that a table schema calls its primary key: pandas' index."""
    key = schema.get("primaryKey") if isinstance(schema, dict) else None
    names = [key] if isinstance(key, str) else key if isinstance(key, list) else []
    return tuple(name for name in names if isinstance(name, str))
