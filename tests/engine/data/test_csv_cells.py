"""A CSV file holds what Python's csv module finds in it, cell by cell, in whatever dialect it was written."""

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.formats.csv.csv_format import CsvFormat

MISSING = ("", "?", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", r"\n", "-", "n.a.", ".")
NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: f"{number:.3f}"),
    st.sampled_from(("0", "-0.5", "+3", ".5", "7.", "1e3", "2.5E-3")),
)
WORDS = st.text("abcxyzäß é,;|\t'\"\n\u2028()", min_size=1, max_size=9).filter(lambda word: any(map(str.isalpha, word)))
GAPS = st.sampled_from(("", "", "NA", "NaN", "null", "?", r"\N", "-"))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """The names and the rows of a table of numbers and words, some of them missing."""
    kinds = draw(st.lists(st.sampled_from((NUMBERS, WORDS)), min_size=2, max_size=5))
    rows = draw(st.integers(2, 30))
    columns = []
    for kind in kinds:
        gaps = draw(st.booleans())
        cell = st.one_of(kind, GAPS) if gaps else kind
        columns.append(draw(st.lists(cell, min_size=rows, max_size=rows)))
    return [f"column {place}" for place in range(len(kinds))], [list(row) for row in zip(*columns, strict=True)]


def as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def meant(cells: list[str]) -> list[str | float | None]:
    """What the rules say of a column: nothing where a word stands for it, numbers if all others are, else words."""
    trimmed = [None if cell.strip().lower() in MISSING else cell.strip() for cell in cells]
    numbers = [None if cell is None else as_number(cell) for cell in trimmed]
    return trimmed if any(n is None and c is not None for n, c in zip(numbers, trimmed, strict=True)) else numbers


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@given(table=tables(), quoting=st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)), end=st.sampled_from(("\n", "\r\n")))
def test_every_cell_is_what_the_csv_module_finds(
    tmp_path_factory: pytest.TempPathFactory,
    delimiter: str,
    table: tuple[list[str], list[list[str]]],
    quoting: int,
    end: str,
) -> None:
    names, rows = table
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows([names, *rows])
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    path.write_bytes(text.getvalue().encode())
    with Path(path).open(newline="", encoding="utf-8") as file:
        header, *expected = csv.reader(file, delimiter=delimiter)
    found = CsvFormat().read(path).pooled
    assert list(found.columns) == header
    for place, name in enumerate(header):
        cells = meant([row[place] for row in expected])
        for ours, theirs in zip(found.values(name), cells, strict=True):
            same = math.isclose(ours, theirs, rel_tol=1e-15) if isinstance(theirs, float) else ours == theirs
            assert same, (name, ours, theirs)


def test_the_spelling_of_numbers_is_kept_of_however_few_rows(tmp_path: Path) -> None:
    """A model may know 1.0 and 1 as different labels, and may be asked for three rows."""
    path = tmp_path / "three.csv"
    path.write_text("code,x\n1.0,3\n2.00,4\n1,5\n")
    table = CsvFormat().read(path).pooled
    places, texts = table.types["code"].texts(table.whole("code"))  # type: ignore[union-attr]
    assert [texts[place] for place in places] == ["1.0", "2.00", "1"]
    assert table.values("code") == [1.0, 2.0, 1.0]
