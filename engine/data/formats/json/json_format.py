"""Rows as JSON objects, in one list or one a line, or a table as pandas writes it, read piece by piece."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from engine.data.dataset import Dataset
from engine.data.encoding.column_encoder import shown
from engine.data.formats.csv.csv_options import MissingOption
from engine.data.formats.incoming import Incoming
from engine.data.formats.json.json_columns import JsonColumns
from engine.data.formats.json.json_layout import RECORDS, Layout, layout_of
from engine.data.formats.json.json_text import JsonText
from engine.data.formats.limits import ReadLimits
from engine.data.formats.typed_columns import Batch, TypedColumns
from engine.errors import DataError

BATCH = 1 << 14  # values looked at together

JsonRow = dict[str, Any]


class JsonFormat(MissingOption):
    """A list of flat objects, or one object a line; what an object leaves out, or says null to, is missing.

    A column is numbers, true and false, categories or text, as its values are. The list may be a member of an object,
    and the table may be laid out as pandas' `split`, `index`, `columns` and `table` are, or as an array a column.
    """

    type: Literal["json"] = Field("json", description="A list of flat JSON objects, or one object a line.")
    media_types: ClassVar[tuple[str, ...]] = ("application/json", "application/x-ndjson", "application/jsonl")
    endings: ClassVar[Mapping[str, str]] = {
        ".json": "application/json",
        ".ndjson": "application/x-ndjson",
        ".jsonl": "application/x-ndjson",
    }

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """One table in memory; DataError names the row of what cannot be used."""
        return Dataset({part: table.table() for part, table in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """The table "all": its columns, and its rows block by block."""
        limits = limits or ReadLimits()
        layout = layout_of(path, limits)
        source: Callable[[], Iterator[Batch]] = partial(_batches, path, layout, limits)
        if layout.kind in ("arrays", "columns"):
            source = partial(JsonColumns(path, limits).batches, BATCH)
        incoming = TypedColumns(source, path.parent, limits, missing=self.told_missing).incoming()
        return {"all": replace(incoming, guesses=(*layout.guesses(), *incoming.guesses))}


def _batches(path: Path, layout: Layout, limits: ReadLimits) -> Iterator[Batch]:
    """The rows of a file that is not laid out by columns."""
    with JsonText(path, limits) as text:
        rows, first = _rows(text, layout), 1
        head = list(islice(rows, 1))  # which tells how wide the others are
        rows = chain(head, rows)
        names: dict[str, None] = dict.fromkeys(name for row in head for name in row)
        while batch := list(islice(rows, max(1, BATCH // max(1, len(names))))):
            names.update(dict.fromkeys(name for row in batch for name in row))
            columns = {name: [row.get(name) for row in batch] for name in names if name not in layout.left_out}
            yield Batch(first, len(batch), columns)
            first += len(batch)


def _rows(text: JsonText, layout: Layout) -> Iterator[JsonRow]:
    """Every row as an object; DataError names the first one that is something else."""
    match layout.kind:
        case "list":
            yield from _listed(text, _object)
            if text.ahead():
                raise DataError("there is more after the list's closing bracket; send one list, or one object a line")
        case "lines":
            number = 0
            while text.ahead():
                number += 1
                yield _object(text.value(f"row {number}"), number)
        case "index":
            for number, label in enumerate(text.members(), start=1):
                yield _object(text.value(f"row {label[:40]!r}"), number)
        case _:
            read = partial(_array, layout.names) if layout.kind == "split" else _object
            for key in text.members():
                if key == layout.key:
                    yield from _listed(text, read)
                else:
                    _pass_over(text, key)


def _listed(text: JsonText, read: Callable[[Any, int], JsonRow]) -> Iterator[JsonRow]:
    for number in text.items():
        yield read(text.value(f"row {number}"), number)


def _pass_over(text: JsonText, key: str) -> None:
    if (mark := text.ahead()) in "[{":
        for item in text.items() if mark == "[" else text.members():
            text.value(f"what {key[:40]!r} holds at {item!r}")
    else:
        text.value(f"the value of {key[:40]!r}")


def _object(row: Any, number: int) -> JsonRow:
    if isinstance(row, dict):
        return row
    if isinstance(row, list):
        raise DataError(
            f"row {number} is an array of {len(row)}, whose values have no names: {RECORDS}; or send "
            '{"columns": ["age", …], "data": [[39, …], …]}'
        )
    raise DataError(f'row {number} is {shown(row)}; every row is an object such as {{"age": 39}}')


def _array(names: tuple[str, ...], row: Any, number: int) -> JsonRow:
    if not isinstance(row, list) or len(row) != len(names):
        raise DataError(f"row {number} is {shown(row)}; every row is an array of {len(names)} values, one a column")
    return dict(zip(names, row, strict=True))
