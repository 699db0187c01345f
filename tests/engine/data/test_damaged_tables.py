"""Damaged JSON, Parquet and workbooks are read or refused: no other error, bounded memory, nothing left behind."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from random import Random

import openpyxl
import pytest
from arro3.core import Array, DataType, RecordBatch
from arro3.io import write_parquet

from engine.data import ReadLimits
from engine.data.formats.excel import excel_format
from engine.data.formats.excel.excel_format import ExcelFormat
from engine.data.formats.json.json_format import JsonFormat
from engine.data.formats.parquet import parquet_format
from engine.data.formats.parquet.parquet_format import ParquetFormat
from engine.errors import DataError
from tests.engine.data.damage import damaged, read_of
from tests.engine.data.decoding_server import DecodingServer

ROWS = [
    {
        "size": 1.5 * n,
        "kind": "oak" if n % 3 else "NA",
        "old": bool(n % 2),
        "day": f"2024-01-{n + 1:02}",
        "id": 2**60 + n,
    }
    for n in range(20)
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
LAYOUTS = [
    ROWS,
    {"data": ROWS, "count": 3},
    COLUMNS,
    {name: dict(zip(map(str, range(20)), values, strict=True)) for name, values in COLUMNS.items()},
    {str(number): row for number, row in enumerate(ROWS)},
    {"columns": list(COLUMNS), "index": list(range(20)), "data": [list(row.values()) for row in ROWS]},
]
LIMITS = ReadLimits(max_rows=10_000, max_features=1000, max_expanded_bytes=1 << 24)


def documents() -> list[bytes]:
    return [*(json.dumps(layout).encode() for layout in LAYOUTS), "\n".join(map(json.dumps, ROWS)).encode()]


def parquets() -> list[bytes]:
    held = {
        "size": DataType.float64(), "kind": DataType.string(), "old": DataType.bool(), "day": DataType.string(),
        "id": DataType.int64(),
    }  # fmt: skip
    columns = {name: Array(values, held[name]) for name, values in COLUMNS.items()}
    columns["code"] = columns["kind"].cast(DataType.dictionary(DataType.int8(), DataType.string()))
    columns["took"] = columns["id"].cast(DataType.duration("ms"))
    columns["when"] = Array(list(range(20)), DataType.int32()).cast(DataType.date32())
    files = []
    for compression in ("uncompressed", "snappy", "zstd(3)"):
        written = io.BytesIO()
        write_parquet(RecordBatch.from_pydict(columns), written, compression=compression)
        files.append(written.getvalue())
    return files


def workbooks() -> list[bytes]:
    files = []
    for above in ([], [["Trees"], []]):
        book = openpyxl.Workbook()
        for row in (
            *above,
            list(COLUMNS),
            *(list({**row, "day": date.fromisoformat(row["day"])}.values()) for row in ROWS),
        ):
            book.active.append(row)
        book.save(written := io.BytesIO())
        files.append(written.getvalue())
    return [*files, *map(stored, files)]


def stored(workbook: bytes) -> bytes:
    """The workbook without compression, so that damage shows in the text of its parts."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as source, zipfile.ZipFile(written := io.BytesIO(), "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return written.getvalue()


def with_damaged_parts(workbook: bytes, random: Random) -> bytes:
    """The workbook with damage in the text of its parts, as another program may write them."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    name = random.choice([name for name in parts if "xl/" in name])
    with zipfile.ZipFile(written := io.BytesIO(), "w") as target:
        for part, content in parts.items():
            target.writestr(part, damaged(content, random) if part == name else content)
    return written.getvalue()


def with_other_tokens(document: bytes, random: Random) -> bytes:
    """The document with a token left out, repeated or replaced, as a program may write it that is wrong."""
    tokens = TOKEN.findall(document)
    for _ in range(random.randint(1, 2)):
        place = random.randrange(len(tokens))
        tokens[place : place + 1] = random.choice(([], tokens[place : place + 1] * 2, [random.choice(OTHERS)]))
    return b"".join(tokens)


TOKEN = re.compile(rb'"[^"]*"|[^\s,:{}\[\]]+|.', re.DOTALL)
OTHERS = [*b"[ { } ] , : null 1e999 NaN {} [] 0".split(), b"9" * 400, b'""', b'"0"', b'"columns"']
Damage = Callable[[bytes, Random], bytes]
FORMATS: dict[str, tuple[JsonFormat | ParquetFormat | ExcelFormat, Callable[[], list[bytes]], str, Damage]] = {
    "json": (JsonFormat(), documents, "a.json", with_other_tokens),
    "parquet": (ParquetFormat(), parquets, "a.parquet", damaged),
    "excel": (ExcelFormat(), workbooks, "a.xlsx", with_damaged_parts),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecodingServer]:
    server = DecodingServer(tmp_path_factory.mktemp("frames"))
    yield server
    server.close()


@pytest.mark.parametrize("times", [150, pytest.param(20_000, marks=pytest.mark.fuzz)])
@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_files_are_read_or_refused(
    kind: str, times: int, server: DecodingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (parquet_format, excel_format):
        monkeypatch.setattr(module, "reading", server.reading)
    form, make, name, damage = FORMATS[kind]
    files = make()
    random = Random(2)  # noqa: S311

    def reads(content: bytes) -> bool:
        if content not in files and random.random() < 0.5:
            content = damage(random.choice(files), random)
        (tmp_path / name).write_bytes(content)
        try:
            assert form.read(tmp_path / name, LIMITS).training.rows >= 2
        except DataError as error:
            assert len(str(error)) < 500
            return False
        finally:
            assert [path.name for path in tmp_path.iterdir()] == [name]
        return True

    assert times / 100 < read_of(files, reads, times) < times * 0.95
