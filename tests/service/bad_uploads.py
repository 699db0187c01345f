"""Uploads that must be refused: the bytes, the media type and what the answer has to say."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np

CSV = "text/csv"
NPZ = "application/x-npz"


@dataclass(frozen=True)
class BadUpload:
    name: str
    body: bytes
    media_type: str
    status: int
    says: str


def npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # wrong arrays are the point
    return file.getvalue()


def packed(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    text = (header + "\n").encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


Y = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", bytes(16))
HUGE = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", bytes(16))
EMPTY_HUGE = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1000000000000000000), }")

BOMB = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000,), }", bytes(9_000_000))

BAD_UPLOADS = [
    BadUpload("nothing", b"", CSV, 422, ""),
    BadUpload("only a header", b"a,b\n", CSV, 422, ""),
    BadUpload("ragged", b"a,b\n1,2\n3\n", CSV, 422, "3"),
    BadUpload("a long line", b"a,b\n" + b"1," * 1_000_000, CSV, 422, "line 2"),
    BadUpload("many columns", b"a," * 500_000 + b"a\n", CSV, 422, "columns"),
    BadUpload("an open quote", b'a,b\n1,"2\n3,4\n', CSV, 422, "quotes"),
    BadUpload("infinity", b"a,b\n1,2\n3,-inf\n", CSV, 422, "b"),
    BadUpload("two columns of one name", b"a,a\n1,2\n", CSV, 422, "a"),
    BadUpload("a column without a name", b"a,\n1,2\n", CSV, 422, ""),
    BadUpload("broken UTF-8", b"a,\xff\n1,2\n", CSV, 422, "UTF-8"),
    BadUpload("NUL", b"a,b\n1,\x002\n", CSV, 422, ""),
    BadUpload("an NPZ that says CSV", npz(x=np.ones((2, 2)), y=np.ones(2)), CSV, 422, ""),
    BadUpload("a CSV that says NPZ", b"a,b\n1,2\n", NPZ, 422, ""),
    BadUpload("cut short", npz(x=np.ones((2, 2)), y=np.ones(2))[:-30], NPZ, 422, ""),
    BadUpload("without y", npz(x=np.ones((2, 2))), NPZ, 422, "y"),
    BadUpload("a member of another name", npz(x=np.ones((2, 2)), y=np.ones(2), z=np.ones(2)), NPZ, 422, "z"),
    BadUpload("more labels than rows", npz(x=np.ones((2, 2)), y=np.ones(3)), NPZ, 422, "3"),
    BadUpload("NaN in an array", npz(x=np.array([[1.0, np.nan]]), y=np.ones(1)), NPZ, 422, ""),
    BadUpload("text in an array", npz(x=np.array([["a"]]), y=np.ones(1)), NPZ, 422, ""),
    BadUpload("pickle", packed(x=pickled(), y=Y), NPZ, 422, ""),
    BadUpload("a bomb", packed(x=BOMB, y=Y), NPZ, 422, ""),
    BadUpload("a shape that lies", packed(x=HUGE, y=Y), NPZ, 422, ""),
    BadUpload("a shape of nothing", packed(x=EMPTY_HUGE, y=Y), NPZ, 422, ""),
    BadUpload("a header of brackets", packed(x=npy("(" * 5000), y=Y), NPZ, 422, ""),
    BadUpload("rows that are numbers", b"[1, 2]", "application/json", 422, "row 1"),
    BadUpload("a list without end", b'[{"a": 1}, {"a": 2}', "application/json", 422, "bracket"),
    BadUpload("arrays in a row", b'[{"a": [1]}, {"a": [2]}]', "application/json", 422, "'a'"),
    BadUpload("deep JSON", b"[" * 500_000, "application/json", 422, "deeply"),
    BadUpload("Parquet that is none", b"PAR1" * 9, "application/vnd.apache.parquet", 422, "Parquet"),
    BadUpload("XML", b"<a/>", "application/xml", 415, "text/csv"),
    BadUpload("a form of nothing", b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 400, "form-data"),
    BadUpload("a form's other kind", CSV.encode(), "multipart/mixed; boundary=x", 415, "-F file=@"),
    BadUpload("no media type", b"a,b\n1,2\n", "", 415, "text/csv"),
    BadUpload("too large", b"a\n" + b"1\n" * 1_100_000, CSV, 413, "2097152"),
]
