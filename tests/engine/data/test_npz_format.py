"""An NPZ file is read as numpy.savez wrote it, or refused before it takes memory."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.data import Dataset, NpzFormat, ReadLimits, format_of
from engine.data.column_types import BooleanType, NumberType, TensorType
from engine.data.formats.formats import FORMATS
from engine.data.storage.stored import store
from engine.errors import DataError
from tests.engine.data.damage import damaged, read_of

X, Y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 0, 1])
DTYPES = ["<f2", "<f4", "<f8", ">f8", "i1", "<i2", ">i4", "<i8", "u1", "<u2", "<u4", "<u8", "?"]


def npz(**members) -> bytes:
    file = io.BytesIO()
    np.savez(file, **members)
    return file.getvalue()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file.getvalue()


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def claimed(shape: str, data: bytes = b"", descr: str = "'<f8'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    return archive({"x.npy": npy(header, data), "y.npy": saved(np.array([0, 1]))})


def saved(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content and len(old) == len(new)
    return content.replace(old, new)


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (pytest.fail, ("the archive was unpickled",))


@given(
    x=st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            arrays.array_shapes(min_dims=1, max_dims=4, min_side=2, max_side=4),
            elements=arrays.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False).filter(
                lambda value: np.dtype(dtype).kind == "f" or abs(int(value)) <= 2**53
            ),
        )
    ),
    fortran=st.booleans(),
    compressed=st.booleans(),
)
def test_what_numpy_saved_reads_back_equal(new_folder, x, fortran, compressed):
    path = new_folder() / "a.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, x=np.asfortranarray(x) if fortran else x, y=np.arange(len(x)))
    column = NpzFormat().read(path).parts["all"].columns["x"]
    is_column = x.ndim == 1 or x.shape[1:] == (1,)
    assert column.dtype.isnative and column.dtype.kind == ("f" if is_column and x.dtype == bool else x.dtype.kind)
    np.testing.assert_array_equal(column, x[:, 0] if x.shape[1:] == (1,) else x)


def test_parts_are_kept_and_images_remember_their_shape(tmp_path):
    path = tmp_path / "a.npz"
    image = np.zeros((4, 8, 8, 3), np.uint8)
    np.savez(path, x_test=image[:1], y_test=Y[:1], x_train=image, y_train=Y, x_dev=image[:2], y_dev=Y[:2])
    dataset = NpzFormat().read(path)
    assert list(dataset.parts) == ["train", "dev", "test"]
    assert [table.rows for table in dataset.parts.values()] == [4, 2, 1]
    assert dataset.training.shapes == {"x": (8, 8, 3), "label": ()}


def test_one_column_of_labels_is_a_column(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=X, y=Y.reshape(4, 1))
    assert NpzFormat().read(path).training.shapes == {"x": (3,), "label": ()}


TWO = bytes(16)
HOSTILE = {
    "an empty file": (b"", "no NPZ archive"),
    "text": (b"a,b\n1,2\n" * 10, "no NPZ archive"),
    "a bare array": (saved(X), "no NPZ archive"),
    "a pickle": (pickle.dumps({"x": [1, 2], "y": [0, 1]}) * 2, "no NPZ archive"),
    "an empty archive": (archive({}), "nothing"),
    "a directory that lies elsewhere": (b"PK\5\6" + bytes(6) + b"\1\0\x40\0\0\0\xff\0\0\0\0\0", "damaged"),
    "a directory of gigabytes": (b"PK\5\6" + b"\0" * 4 + b"\xff" * 12 + b"\0\0", "directory is longer"),
    "a zip64 directory": (b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18), "directory is longer"),
    "an archive cut short": (npz(x=X, y=Y)[:-30], "no NPZ archive"),
    "an archive without its beginning": (npz(x=X, y=Y)[200:], "damaged|is not what|no .npy"),
    "a wrong checksum": (patched(npz(x=X, y=Y), X.tobytes(), (X + 1).tobytes()), "damaged.*CRC"),
    "too many members": (archive({f"x{i}.npy": b"" for i in range(17)}), "17 members"),
    "a stranger": (npz(x=X, y=Y, z=Y), "'z.npy'"),
    "a path": (archive({"../../etc/passwd": b"x"}), "passwd"),
    "a nested archive": (archive({"x.npz": npz(x=X)}), "x.npz"),
    "a member twice": (npz(x=X, y=Y).replace(b"y.npy", b"x.npy"), "twice"),
    "x without y": (npz(x=X), "x has no partner"),
    "y without x": (npz(y=Y), "y has no partner"),
    "a test set alone": (npz(x_test=X, y_test=Y), "x_train"),
    "both kinds": (npz(x=X, y=Y, x_train=X, y_train=Y), "either x and y"),
    "x and y with a test set": (npz(x=X, y=Y, x_test=X, y_test=Y), "as well as parts"),
    "parts of other shapes": (npz(x_train=X, y_train=Y, x_test=X[:, :2], y_test=Y), "same columns"),
    "more labels than rows": (npz(x=X, y=np.zeros(5)), "x has 4 rows"),
    "labels in three axes": (npz(x=X, y=np.zeros((4, 2, 2))), "y has the shape"),
    "one row": (npz(x=X[:1], y=Y[:1]), "one row"),
    "no row": (npz(x=X[:0], y=Y[:0]), "a row at least"),
    "a single number": (npz(x=np.float64(1), y=Y), "one to four axes"),
    "five axes": (npz(x=np.zeros((2, 1, 1, 1, 1)), y=Y[:2]), "one to four axes"),
    "NaN": (npz(x=np.where(X == 7, np.nan, X), y=Y), "nan in row 2"),
    "infinity": (npz(x=X, y=np.array([0, 1, 0, -np.inf])), "-inf in row 3"),
    "an integer beyond float64": (npz(x=X, y=np.array([0, 1, 0, 2**53 + 1])), "9007199254740993 in row 3"),
    "an unsigned one": (npz(x=X, y=np.array([2**64 - 1] * 4, np.uint64)), "18446744073709551615"),
    "objects": (npz(x=np.array([1, "a"], object), y=Y[:2]), "plain numbers"),
    "objects that would run": (npz(x=np.array([Bomb(), Bomb()], object), y=Y[:2]), "plain numbers"),
    "text values": (npz(x=np.array(["a", "b"]), y=Y[:2]), "plain numbers"),
    "complex numbers": (npz(x=X.astype(complex), y=Y), "plain numbers"),
    "dates": (npz(x=np.array([0, 1], "M8[s]"), y=Y[:2]), "plain numbers"),
    "records": (npz(x=np.zeros(2, [("a", "f8")]), y=Y[:2]), "plain numbers"),
    "long doubles": (npz(x=X.astype(np.longdouble), y=Y), "plain numbers"),
    "a bare pickle as a member": (archive({"x.npy": pickle.dumps([1, 2])}), "no .npy array"),
    "an empty member": (archive({"x.npy": b"", "y.npy": saved(Y)}), "no .npy array"),
    "an unknown version": (archive({"x.npy": npy("{}", version=9)}), "version 1 to 3"),
    "a header longer than the file": (archive({"x.npy": b"\x93NUMPY\2\0\xff\xff\xff\x7f"}), "header of"),
    "a header that is code": (archive({"x.npy": npy("__import__('os').abort()")}), "plain numbers"),
    "nested brackets": (archive({"x.npy": npy("(" * 8000)}), "plain numbers"),
    "a shape of 10¹² rows": (claimed("(1000000000000,)", TWO), "claims the shape"),
    "a shape of no rows, 10¹⁸ columns": (claimed("(0, 1000000000000000000)"), "plain numbers"),
    "a shape of no rows, 10¹⁷ columns": (claimed("(0, 100000000000000000)"), "a row at least"),
    "a negative shape": (claimed("(-2,)", TWO), "plain numbers"),
    "a shape of 5000 digits": (claimed(f"({'9' * 5000},)", TWO), "plain numbers"),
    "a shape of a thousand axes": (claimed(f"({'1, ' * 1000})", bytes(8)), "one to four axes"),
    "a shape that is smaller": (claimed("(1,)", TWO), "claims the shape"),
    "a shape that is no tuple": (claimed("2", TWO), "plain numbers"),
    "a type of 1000 bytes": (claimed("(2,)", TWO, "'<f1000'"), "plain numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_with_a_sentence(tmp_path, name):
    content, sentence = HOSTILE[name]
    path = tmp_path / "hostile.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        NpzFormat().read(path)
    assert len(str(caught.value)) < 400


def test_encrypted_and_exotic_members_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(archive({"x.npy": saved(X)}, zipfile.ZIP_BZIP2))
    with pytest.raises(DataError, match="method 12"):
        NpzFormat().read(path)
    content = bytearray(npz(x=X))
    content[content.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        NpzFormat().read(path)


@pytest.mark.parametrize("said", ["true", "false"])
def test_a_zip_bomb_takes_no_memory(tmp_path, said):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((50_000, 1000), np.uint8), y=np.zeros(50_000, np.uint8))
    if said == "false":  # the directory says that it expands to eight bytes
        content = bytearray(path.read_bytes())
        entry = content.index(b"PK\1\2")
        content[entry + 24 : entry + 28] = struct.pack("<I", 8)
        path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match="more than 200 times" if said == "true" else "no .npy|shape|damaged"):
        NpzFormat().read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_directory_of_a_million_members_is_not_listed(tmp_path):
    path = tmp_path / "many.npz"
    with zipfile.ZipFile(path, "w") as zipped:
        for number in range(2000):
            zipped.writestr(f"x{number}.npy", b"")
    with pytest.raises(DataError, match="directory is longer"):
        NpzFormat().read(path)


def test_limits_are_named_where_they_are_passed(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=X, y=Y)
    for limits, sentence in (
        (ReadLimits(max_rows=3), "at most 3 rows"),
        (ReadLimits(max_features=2), "2 are allowed"),
        (ReadLimits(max_expanded_bytes=100), "at most 100 are allowed"),
        (ReadLimits(max_members=1), "at most 1 are allowed"),
    ):
        with pytest.raises(DataError, match=sentence):
            NpzFormat().read(path, limits)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_a_damaged_archive_is_read_or_refused(new_folder, changes, compressed):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, x=X, y=Y)
    content = bytearray(file.getvalue())
    for place, value in changes:
        content[place % len(content)] = value
    path = new_folder() / "a.npz"
    path.write_bytes(content)
    try:
        table = NpzFormat().read(path).training
    except DataError:
        return
    assert table.rows == 4


def test_a_media_type_finds_its_format():
    assert format_of("text/csv; charset=utf-8").type == "csv"
    assert format_of("Application/X-NPZ").type == "npz"
    assert format_of("application/octet-stream") is None
    assert all(format_of(kind.upper()) is known for known in FORMATS for kind in known.media_types)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_long_array_reaches_its_file_a_few_rows_at_a_time(tmp_path, order):
    rows = np.random.default_rng(0).integers(0, 255, (40_000, 30, 50), np.uint8)
    np.savez(tmp_path / "a.npz", x=np.asarray(rows, order=order), y=np.arange(len(rows)) % 10)
    tracemalloc.start()
    try:
        store(tmp_path / "d", NpzFormat().incoming(tmp_path / "a.npz"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < rows.nbytes / 3
    assert np.array_equal(Dataset.load(tmp_path / "d").training.whole("x"), rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "d"]


def read(folder, content: bytes, form: NpzFormat | None = None):
    path = folder / "a.npz"
    path.write_bytes(content)
    return (form or NpzFormat()).read(path)


@pytest.mark.parametrize("dtype", ["?", "u1", "<i8", "<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_hot_rows_are_the_numbers_of_their_classes(tmp_path, dtype, order):
    classes = np.random.default_rng(1).integers(0, 26, 100)
    y = np.asarray(np.eye(26)[classes].astype(dtype), order=order)
    table = read(tmp_path, npz(x=np.zeros((100, 2)), y=y)).training
    assert table.types["label"] == NumberType(classes=True)
    np.testing.assert_array_equal(table.whole("label"), classes)
    assert read(tmp_path, npz(x=np.zeros((100, 2)), y=y), NpzFormat(one_hot=False)).training.shapes["label"] == (26,)


@pytest.mark.parametrize(
    "y",
    [
        [[1, 0], [0, 1], [1, 1], [0, 1]],  # labels beside each other
        [[1, 0], [0, 1], [0, 0], [0, 1]],
        [[1, 0], [0, 2], [1, 0], [0, 1]],
        [[1, 0], [0, 1], [1, -0.5], [0, 1]],
    ],
)
def test_rows_of_other_values_stay_rows(tmp_path, y):
    content = npz(x_train=X, y_train=np.eye(2)[Y], x_test=X, y_test=np.array(y, np.float64))
    assert read(tmp_path, content).training.shapes["label"] == (2,)
    with pytest.raises(DataError, match=r"'y_test' is not one 1 and zeros beside it in row [12],"):
        read(tmp_path, content, NpzFormat(one_hot=True))


def test_plain_labels_are_not_called_one_hot(tmp_path):
    with pytest.raises(DataError, match="'y' has one value a row"):
        read(tmp_path, npz(x=X, y=Y), NpzFormat(one_hot=True))


def test_booleans_are_true_and_false(tmp_path):
    x, y = X > 5, np.array([True, False, True, False])
    table = read(tmp_path, npz(x=x, y=y)).training
    assert table.values("label") == [True, False, True, False]
    assert table.values("x")[1] == [False, False, False] and table.types["x"] == TensorType(booleans=True)
    one = read(tmp_path, npz(x=x[:, :1], y=y)).training
    assert one.types["x"] == BooleanType() and one.values("x") == [False, False, True, True]


HOT = np.eye(3)[[0, 2, 1, 0]]
FILES = [
    npz(x=X, y=Y),
    npz(x=np.asfortranarray(X), y=HOT),
    npz(x_train=X > 3, y_train=HOT > 0, x_test=X > 5, y_test=HOT > 0),
    archive({"x.npy": saved(np.arange(24, dtype=np.uint8).reshape(4, 3, 2)), "y.npy": saved(HOT)}),
]


def is_read(folder, content: bytes) -> bool:
    """Whether a file can be read, with nothing left beside it; nothing but DataError says that it cannot."""
    try:
        assert read(folder, content).training.rows >= 2
    except DataError as error:
        assert len(str(error)) < 400
        return False
    finally:
        assert [path.name for path in folder.iterdir()] == ["a.npz"]
    return True


@given(st.sampled_from(FILES), st.integers(0, 2**32))
def test_a_damaged_file_of_any_kind_is_read_or_refused(new_folder, content, seed):
    is_read(new_folder(), damaged(content, Random(seed)))  # noqa: S311


@pytest.mark.fuzz
def test_twenty_thousand_damaged_files_are_read_or_refused_in_bounded_memory(tmp_path):
    assert 500 < read_of(FILES, lambda content: is_read(tmp_path, content), 20_000) < 19_000
