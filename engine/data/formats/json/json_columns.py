"""Tables of JSON that stand column by column: every column is copied to a scratch file, and rows come from there."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from weakref import finalize

from engine.data.formats.json.json_text import JsonText
from engine.data.formats.limits import ReadLimits
from engine.data.formats.typed_columns import Batch
from engine.errors import DataError


class JsonColumns:
    """The columns of one object: an array, or an object keyed by row, for each."""

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        self._scratch = TemporaryFile(dir=path.parent)  # noqa: SIM115 - lives as long as the columns
        finalize(self, self._scratch.close)
        self._places: dict[str, int] = {}  # where each column begins, a value a line
        self.rows = 0
        with JsonText(path, limits) as text:
            for name in text.members():
                self._places[name] = self._scratch.tell()
                self.rows = 0
                for row in text.members() if text.ahead() == "{" else text.items():
                    self._copy(text.value(f"{name[:40]!r} of row {row!r}"), limits)

    def batches(self, values: int) -> Iterator[Batch]:
        """All rows, about so many values together."""
        step = max(1, values // max(1, len(self._places)))
        places = dict(self._places)
        for start in range(0, self.rows, step):
            count = min(step, self.rows - start)
            columns: dict[str, list[Any]] = {}
            for name, place in places.items():
                self._scratch.seek(place)
                columns[name] = [json.loads(self._scratch.readline()) for _ in range(count)]
                places[name] = self._scratch.tell()
            yield Batch(start + 1, count, columns)

    def _copy(self, value: Any, limits: ReadLimits) -> None:
        self.rows += 1
        self._scratch.write(json.dumps(value).encode() + b"\n")
        if self._scratch.tell() > limits.max_expanded_bytes:
            raise DataError(
                f"the table takes more than {limits.max_expanded_bytes} bytes; upload fewer rows or columns"
            )
