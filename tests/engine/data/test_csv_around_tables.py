"""A table stays the same whatever stands around it; published files are read as Python's csv module reads them."""

import csv
import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.data import CsvFormat
from engine.data.formats.csv.csv_cells import read_cells
from engine.errors import DataError

NAMES = st.lists(st.text("abcdefgäßж", min_size=2, max_size=6), min_size=2, max_size=4, unique=True)
WORDS = st.sampled_from(["fir", "oak", "Bäume, alte", 'a "b"', "two\nlines", "ж|ж;ж", " x ", "#7", "sep=;", "O'Hara"])
NUMBERS = st.integers(-999, 999) | st.floats(-1e6, 1e6).map(lambda number: round(number, 3))


@st.composite
def tables(draw):
    names = draw(NAMES)
    rows = draw(st.lists(st.tuples(*[NUMBERS, *[WORDS] * (len(names) - 1)]), min_size=3, max_size=30))
    return names, [list(row) for row in rows]


@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    above=st.sampled_from(["", "Trees of the park\n", "\n\n", "# made by hand\n# in May\n", "sep\n"]),
    index=st.sampled_from(["", "rows", "short"]),
    closed=st.booleans(),
    again=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_what_stands_around_a_table_changes_nothing(
    new_folder, table, delimiter, end, encoding, above, index, closed, again, quoting
):
    assume(not (closed and index == "short"))
    names, rows = table
    above = f"sep={delimiter}\n" if above == "sep\n" else above.replace("\n", end)
    written = [list(row) for row in (names, *rows)]
    if index:
        for number, row in enumerate(written):
            if number or index == "rows":
                row.insert(0, number - 1 if number else "")
    if again:
        written.insert(2, written[0])
    text = io.StringIO(newline="")
    csv.writer(
        text, delimiter=delimiter, lineterminator=(delimiter if closed else "") + end, quoting=quoting
    ).writerows(written)
    content = (above + text.getvalue()).encode(encoding)
    path = new_folder() / "table.csv"
    path.write_bytes(content)
    found = CsvFormat().read(path).training
    assert list(found.types) == names
    assert found.values(names[0]) == [row[0] for row in rows]
    for place, name in enumerate(names[1:], start=1):
        assert [str(word).strip() for word in found.values(name)] == [row[place].strip() for row in rows]
    cells = read_cells(content)
    assert cells.names == names
    assert [[float(row[0]), *(cell.strip() for cell in row[1:])] for row in cells.rows] == [
        [row[0], *(cell.strip() for cell in row[1:])] for row in rows
    ]


HEADERLESS = {
    "jb-auto-insurance", "jb-breast-cancer", "jb-breast-cancer-wisconsin", "jb-ecoli", "jb-haberman", "jb-horse-colic",
    "jb-iris", "jb-longley", "jb-new-thyroid", "jb-oil-spill", "jb-wheat-seeds",
}  # fmt: skip
INDEXED = {"seaborn-attention", "seaborn-exercise"}
SEVERAL_HEADERS = {"seaborn-brain_networks"}


@pytest.mark.shared_data
def test_published_files_are_read_cell_by_cell(tmp_path, shared_data):
    files = sorted((shared_data / "csv").glob("*.csv"))
    assert len(files) > 30
    for file in files:
        (tmp_path / "copy.csv").write_bytes(file.read_bytes())
        if file.stem in SEVERAL_HEADERS:
            with pytest.raises(DataError, match="two columns are named '1', 2 and 3"):
                CsvFormat().read(tmp_path / "copy.csv")
            continue
        table = CsvFormat().read(tmp_path / "copy.csv").training
        with file.open(newline="", encoding="utf-8") as text:
            rows = [row[file.stem in INDEXED :] for row in csv.reader(text)]
        names = [f"column_{place + 1}" for place in range(len(rows[0]))] if file.stem in HEADERLESS else rows.pop(0)
        assert (list(table.types), table.rows) == (names, len(rows)), file.stem
        for place, name in enumerate(names):
            for value, row in zip(table.values(name), rows, strict=True):
                assert is_read_as(row[place], value), (file.stem, name, row[place], value)


def is_read_as(cell: str, value: object) -> bool:
    """Whether a cell may be this value: the number that it begins with, its text, or nothing."""
    if value is None or value != value:
        return cell.strip().lower() in ("", "?", "na", "nan")
    return float(cell.split()[0]) == value if isinstance(value, float | int) else cell.strip() == str(value).strip()
