"""A compressed table is unpacked into bounded space, and read as the table that it is."""

import gzip
import io
import zipfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import ReadLimits, format_of
from engine.data.formats.packed import Packed, packed_table, unpack
from engine.errors import DataError
from tests.engine.data.damage import damaged, read_of

TABLE = b"size,kind\n4.5,fir\n7,oak\n"
ROWS = b'{"size": 4.5, "kind": "fir"}\n{"size": 7, "kind": "oak"}\n'


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


FILES = {
    "gzip that says CSV": (gzip.compress(TABLE), "text/csv", "text/csv"),
    "gzip": (gzip.compress(TABLE), "application/gzip", "text/csv"),
    "gzip of JSON": (gzip.compress(ROWS), "application/x-gzip", "application/json"),
    "two members of gzip": (gzip.compress(TABLE[:9]) + gzip.compress(TABLE[9:]), "text/csv", "text/csv"),
    "a CSV in a zip": (zipped({"data/trees.CSV": TABLE}), "application/zip", "text/csv"),
    "a CSV in a zip that says CSV": (zipped({"trees.csv": TABLE}), "text/csv", "text/csv"),
    "beside what a Mac adds": (
        zipped({"trees.csv": TABLE, "__MACOSX/._trees.csv": b"\0", ".DS_Store": b"\0", "x/": b""}),
        "application/zip",
        "text/csv",
    ),
    "lines of JSON in a zip": (zipped({"trees.jsonl": ROWS}), "application/zip", "application/x-ndjson"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_compressed_table_is_read_as_what_it_is(tmp_path, name):
    content, says, inside = FILES[name]
    (tmp_path / "packed").write_bytes(content)
    packed = packed_table(tmp_path / "packed", says)
    assert packed is not None and packed.media_type == inside
    unpack(tmp_path / "packed", packed, tmp_path / "table", ReadLimits())
    found = format_of(inside).read(tmp_path / "table").training
    assert {name: found.values(name) for name in found.types} == {"size": [4.5, 7], "kind": ["fir", "oak"]}


OTHERS = {
    "a plain CSV": (TABLE, "text/csv"),
    "an archive of images": (zipped({"fir/1.png": b"", "oak/2.png": b""}), "application/zip"),
    "a table beside an image": (zipped({"trees.csv": TABLE, "oak/2.png": b""}), "application/zip"),
    "a workbook": (zipped({"trees.csv": TABLE}), "application/vnd.ms-excel"),
    "gzip that says Parquet": (gzip.compress(TABLE), "application/vnd.apache.parquet"),
    "no archive": (b"PK\x03\x04" + bytes(40), "application/zip"),
    "an empty file": (b"", "text/csv"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_compressed_table_is_left_alone(tmp_path, name):
    (tmp_path / "file").write_bytes(OTHERS[name][0])
    assert packed_table(tmp_path / "file", OTHERS[name][1]) is None


def test_several_tables_or_no_gzip_are_refused_with_what_to_do(tmp_path):
    (tmp_path / "file").write_bytes(zipped({"a.csv": TABLE, "b.csv": TABLE}))
    with pytest.raises(DataError, match=r"2 tables \('a.csv', 'b.csv'\); send one alone"):
        packed_table(tmp_path / "file", "application/zip")
    with pytest.raises(DataError, match="not compressed by gzip"):
        packed_table(tmp_path / "file", "application/gzip")


@pytest.mark.parametrize("content", [gzip.compress(bytes(3_000_000)), zipped({"a.csv": bytes(3_000_000)})])
def test_no_more_is_unpacked_than_is_allowed(tmp_path, content):
    assert len(content) < 10_000
    (tmp_path / "file").write_bytes(content)
    packed = packed_table(tmp_path / "file", "text/csv")
    with pytest.raises(DataError, match="more than the 2000000 bytes"):
        unpack(tmp_path / "file", packed, tmp_path / "table", ReadLimits(max_expanded_bytes=2_000_000))
    assert (tmp_path / "table").stat().st_size <= 2_000_000


def is_read(folder: Path, content: bytes) -> bool:
    """Whether a file is a compressed table that can be unpacked; nothing but DataError says that it cannot."""
    path, target = folder / "packed", folder / "table"
    path.write_bytes(content)
    target.unlink(missing_ok=True)
    try:
        packed = packed_table(path, "text/csv")
        if packed is None:
            return False
        unpack(path, packed, target, ReadLimits(max_expanded_bytes=1 << 20))
    except DataError as error:
        assert len(str(error)) < 400
        return False
    return True


DAMAGED = [content for content, says, _ in FILES.values() if says in ("text/csv", "application/zip")]


@given(st.sampled_from(DAMAGED), st.integers(0, 2**32))
def test_damage_is_refused_with_a_sentence(new_folder, content, seed):
    is_read(new_folder(), damaged(content, Random(seed)))  # noqa: S311


def test_an_encrypted_member_is_refused(tmp_path):
    content = bytearray(zipped({"a.csv": TABLE}))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    (tmp_path / "file").write_bytes(content)
    packed = packed_table(tmp_path / "file", "application/zip")
    assert packed == Packed("text/csv", "zip", "a.csv")
    with pytest.raises(DataError, match="encrypted"):
        unpack(tmp_path / "file", packed, tmp_path / "table", ReadLimits())


@pytest.mark.fuzz
def test_twenty_thousand_damaged_files_are_unpacked_or_refused(tmp_path):
    assert 500 < read_of(DAMAGED, lambda content: is_read(tmp_path, content), 20_000) < 19_500
