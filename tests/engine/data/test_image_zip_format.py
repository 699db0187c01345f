"""A zip of images in class folders becomes the arrays that an NPZ of them would, or is refused with a sentence."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.data import NpzFormat, ReadLimits
from engine.data.formats.images.image_zip_format import ImageZipFormat
from engine.errors import DataError
from tests.engine.data.damage import damaged, read_of
from tests.engine.data.pictures import KINDS, TURNED, deep_png, photograph

GRAY = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4)
COLOR = np.arange(4 * 5 * 4 * 3, dtype=np.uint8).reshape(4, 5, 4, 3)


def png(image: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(path, content: bytes, form: ImageZipFormat | None = None, limits: ReadLimits | None = None):
    file = path / "images.zip"
    file.write_bytes(content)
    return (form or ImageZipFormat()).read(file, limits)


TWO = {"a/1.png": png(GRAY[0]), "b/2.png": png(GRAY[1])}


@pytest.mark.parametrize("around", ["", "pictures/", "home/pictures/"])
def test_classes_are_folders_and_labels_their_names(tmp_path, around):
    members = {f"{around}{label}/{n}.png": png(GRAY[n]) for n, label in enumerate(["ten", "2", "ten", "ten", "2", "1"])}
    dataset = read(tmp_path, packed({f"{around}": b"", **members} if around else members))
    table = dataset.parts["all"]
    np.testing.assert_array_equal(table.columns["x"], GRAY)
    assert table.columns["x"].dtype == np.uint8
    assert table.types["label"].labels == ("1", "2", "ten")
    assert table.values("label") == ["ten", "2", "ten", "ten", "2", "1"]


def test_numbers_are_sorted_as_numbers(tmp_path):
    members = {f"{label}/0.png": png(GRAY[0]) for label in ("10", "9", "0", "2")}
    assert read(tmp_path, packed(members)).training.types["label"].labels == ("0", "2", "9", "10")


@pytest.mark.parametrize("dev", ["dev", "val", "validation"])
def test_parts_are_folders_around_the_classes(tmp_path, dev):
    places = ["train/a", "train/b", f"{dev}/b", "test/a"]
    content = packed({f"set/{place}/{n}.png": png(COLOR[n]) for n, place in enumerate(places)})
    dataset = read(tmp_path, content)
    assert list(dataset.parts) == ["train", "dev", "test"]
    np.testing.assert_array_equal(dataset.parts["train"].columns["x"], COLOR[:2])
    assert dataset.parts["dev"].values("label") == ["b"]
    assert dataset.parts["test"].shapes["x"] == (5, 4, 3)


@pytest.mark.shared_data
def test_mnist_as_pngs_gives_the_arrays_of_the_npz(tmp_path, shared_data):
    with np.load(shared_data / "mnist.npz") as arrays:
        some = {name: arrays[name][:300] for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "mnist.npz", **some)
    from_npz = NpzFormat().read(tmp_path / "mnist.npz")
    members = {
        f"{part}/{label}/{n:05}.png": png(image)
        for part in ("train", "test")
        for n, (image, label) in enumerate(zip(some[f"x_{part}"], some[f"y_{part}"], strict=True))
    }
    from_zip = read(tmp_path, packed(members))
    assert list(from_zip.parts) == list(from_npz.parts)
    for part, table in from_zip.parts.items():
        other = from_npz.parts[part]
        np.testing.assert_array_equal(table.columns["x"], other.columns["x"])
        assert table.columns["x"].dtype == other.columns["x"].dtype
        assert table.values("label") == [str(label) for label in other.values("label")]
        np.testing.assert_array_equal(table.columns["label"], other.columns["label"])


def test_images_are_brought_to_one_size_on_request(tmp_path):
    content = packed({"a/1.png": png(np.full((30, 20), 7, np.uint8)), "b/2.jpg": png(GRAY[0], "JPEG")})
    with pytest.raises(DataError, match=r"'b/2.jpg' is 4x5 and 'a/1.png' is 20x30.*size=20x30"):
        read(tmp_path, content)
    x = read(tmp_path, content, ImageZipFormat(size="6x9")).training.columns["x"]
    assert x.shape == (2, 9, 6)
    assert (x[0] == 7).all()


def test_gray_and_color_images_together_are_in_color_unless_asked_otherwise(tmp_path):
    gray, color = np.full((5, 4), 99, np.uint8), np.zeros((5, 4, 3), np.uint8)
    color[..., 0] = 200
    content = packed({"a/1.png": png(gray), "b/2.png": png(color)})
    x = read(tmp_path, content).training.columns["x"]
    assert x.shape == (2, 5, 4, 3) and (x[0] == 99).all() and (x[1] == [200, 0, 0]).all()
    x = read(tmp_path, content, ImageZipFormat(mode="grayscale")).training.columns["x"]
    assert x.shape == (2, 5, 4) and (x[1] == round(0.299 * 200)).all()
    assert read(tmp_path, packed(TWO), ImageZipFormat(mode="color")).training.shapes["x"] == (5, 4, 3)


def test_every_kind_of_png_becomes_bytes(tmp_path):
    deep = Image.fromarray(GRAY[0].astype(np.uint16) * 5)
    indexed = Image.fromarray(GRAY[0]).convert("P")
    clear = Image.fromarray(np.dstack([GRAY[0]] * 3 + [np.zeros((5, 4), np.uint8)]), "RGBA")
    bits = Image.fromarray(GRAY[0] > 9)
    members = {
        "a/deep.png": png(deep),
        "a/indexed.png": png(indexed),
        "b/clear.png": png(clear),
        "b/bits.png": png(bits),
    }
    x = read(tmp_path, packed(members), ImageZipFormat(mode="grayscale", white=5 * 255)).training.columns["x"]
    np.testing.assert_array_equal(x[0], GRAY[0])
    np.testing.assert_array_equal(x[1], GRAY[0])
    assert (x[2] == 255).all()  # what cannot be seen is white
    np.testing.assert_array_equal(x[3], (GRAY[0] > 9) * 255)
    assert read(tmp_path, packed({"a/1.png": png(indexed), "b/2.png": png(bits)})).training.shapes["x"] == (5, 4)


def test_a_photograph_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    lying = np.zeros((16, 32), np.uint8)
    lying[:8] = 255
    content = packed({label: png(lying, "JPEG", exif=exif, quality=95) for label in ("a/1.jpg", "b/2.jpeg")})
    x = read(tmp_path, content).training.columns["x"]
    assert x.shape == (2, 32, 16)
    assert x[0][:, 10:].min() > 200 and x[0][:, :6].max() < 50


def test_every_kind_of_image_may_be_in_one_archive_whatever_it_is_called(tmp_path):
    members = {f"a/{n}.jpg": photograph(kind, COLOR[0]) for n, kind in enumerate(KINDS)} | {"b/0": png(COLOR[1])}
    x = read(tmp_path, packed(members)).training.columns["x"]
    for place, kind in enumerate(KINDS):
        np.testing.assert_array_equal(x[place], Image.open(io.BytesIO(photograph(kind, COLOR[0]))).convert("RGB"))


def test_photographs_of_phones_are_turned_before_their_sizes_are_compared(tmp_path):
    kinds = {"a/1.jpg": "JPEG", "a/2.jpg": "MPO", "b/3.png": "PNG", "b/4.webp": "WEBP"}
    members = {name: photograph(kind, COLOR[0], 8) for name, kind in kinds.items()}
    assert read(tmp_path, packed(members)).training.shapes["x"] == (4, 5, 3)


def test_images_of_few_of_sixteen_bits_are_scaled_by_the_greatest_value_of_all(tmp_path):
    deep = [np.full((2, 3, 1), value) for value in (0, 700, 1400)]
    content = packed({f"{place % 2}/{place}.png": deep_png(image) for place, image in enumerate(deep)})
    training = read(tmp_path, content).training
    assert [int(image.max()) for image in training.columns["x"]] == [0, 128, 255]
    assert training.types["x"].picture.white == 1400
    training = read(tmp_path, content, ImageZipFormat(white=2800)).training
    assert [int(image.max()) for image in training.columns["x"]] == [0, 64, 128]
    black = packed({f"{label}/1.png": deep_png(deep[0]) for label in "ab"})
    assert read(tmp_path, black).training.columns["x"].max() == 0


def test_names_with_backslashes_are_folders_as_windows_has_them(tmp_path):
    members = {"set\\": b"", **{f"set\\{label}\\{n}.png": png(GRAY[n]) for n, label in enumerate("abab")}}
    table = read(tmp_path, packed(members)).training
    assert table.values("label") == ["a", "b", "a", "b"]
    np.testing.assert_array_equal(table.columns["x"], GRAY[:4])


@pytest.mark.parametrize(
    ("train", "dev", "test"),
    [("Train", "Val", "Test"), ("TRAINING", "Validation", "TESTING"), ("training ", "Dev", "test")],
)
def test_parts_are_known_in_any_case(tmp_path, train, dev, test):
    places = [f"{train}/a", f"{train}/b", f"{dev}/b", f"{test}/a"]
    dataset = read(tmp_path, packed({f"{place}/{n}.png": png(GRAY[n]) for n, place in enumerate(places)}))
    assert {part: table.values("label") for part, table in dataset.parts.items()} == {
        "train": ["a", "b"], "dev": ["b"], "test": ["a"],
    }  # fmt: skip


def test_class_folders_are_called_by_their_trimmed_names(tmp_path):
    members = {" cat/1.png": png(GRAY[0]), "cat/2.png": png(GRAY[1]), "dog /3.png": png(GRAY[2])}
    assert read(tmp_path, packed(members)).training.values("label") == ["cat", "cat", "dog"]


def test_many_pixels_in_a_small_archive_are_refused_in_all(tmp_path):
    """Each is padded, so that it alone is not more than it should be."""
    image = png(np.zeros((3000, 3000), np.uint8)) + bytes(50_000)
    content = packed({f"{n % 2}/{n}.png": image for n in range(40)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="and those before it have more than 268435456 pixels"):
        read(tmp_path, content, ImageZipFormat(size="1x1"))


def test_what_desktops_leave_behind_is_passed_over(tmp_path):
    litter = dict.fromkeys(
        ["__MACOSX/a/._1.png", "a/.DS_Store", "a/Thumbs.db", "a/._1.png", "desktop.ini", "a/.hidden/1.png"], b"x"
    )
    litter["set/__MACOSX/1.png"] = b"x"
    assert read(tmp_path, packed({**litter, **TWO})).training.rows == 2


def huge(width: int, height: int, bits: int = 8) -> bytes:
    """A PNG whose header says that it is so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def encrypted(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[changed.index(b"PK\1\2") + 8] |= 1
    return bytes(changed)


def linked() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("a/1.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("b/2.png", TWO["b/2.png"])
    return file.getvalue()


HOSTILE = {
    "nothing": (b"", "no zip archive"),
    "no zip": (png(GRAY[0]), "no zip archive"),
    "an empty archive": (packed({}), "holds no image"),
    "folders only": (packed({"a/": b"", "b/": b""}), "holds no image"),
    "half an archive": (packed(TWO)[:-30], "no zip archive|damaged"),
    "an archive with its head cut off": (packed(TWO)[40:], "damaged"),
    "a name that climbs": (packed({**TWO, "../../etc/cron.d/x.png": TWO["a/1.png"]}), "leads out of it"),
    "a name within that climbs": (packed({**TWO, "a/../b.png": TWO["a/1.png"]}), "leads out of it"),
    "an absolute name": (packed({**TWO, "/etc/x.png": TWO["a/1.png"]}), "leads out of it"),
    "a drive": (packed({**TWO, "C:/x/1.png": TWO["a/1.png"]}), "leads out of it"),
    "a backslash": (packed({**TWO, "a\\..\\..\\x.png": TWO["a/1.png"]}), "leads out of it"),
    "a symbolic link": (linked(), "symbolic link"),
    "an archive within": (packed({**TWO, "a/more.zip": packed(TWO)}), "'a/more.zip' is no PNG"),
    "an archive called an image": (packed({**TWO, "a/more.png": packed(TWO)}), "'a/more.png' is no PNG"),
    "text": (packed({**TWO, "a/notes.txt": b"hello"}), "PNG, JPEG, WebP, BMP, GIF or TIFF"),
    "a program": (packed({**TWO, "a/run.exe": b"MZ"}), "'a/run.exe' is no PNG"),
    "another image format": (packed({**TWO, "a/3.png": png(GRAY[0], "PPM")}), "'a/3.png' is no PNG"),
    "an empty image": (packed({**TWO, "a/3.png": b""}), "'a/3.png' is no PNG"),
    "parts without classes": (
        packed({"Train/1.png": png(GRAY[0]), "Train/2.png": png(GRAY[1]), "TEST/3.png": png(GRAY[2])}),
        "'Train' and 'TEST' are parts, and hold no folders of classes; .*train/cat/1.png",
    ),
    "a folder beside the parts": (
        packed({"train/a/1.png": png(GRAY[0]), "train/b/2.png": png(GRAY[1]), "other/3.png": png(GRAY[2])}),
        "'other' stands beside 'train'",
    ),
    "a backslash that climbs": (packed({**TWO, "\\\\host\\x.png": TWO["a/1.png"]}), "leads out of it"),
    "half an image": (packed({**TWO, "a/3.png": TWO["a/1.png"][:-20]}), "'a/3.png' is damaged"),
    "half a photograph": (packed({**TWO, "a/3.jpg": png(GRAY[0], "JPEG")[:-30]}), "'a/3.jpg' is damaged"),
    "an image with a broken header": (packed({**TWO, "a/3.png": TWO["a/1.png"][:20]}), "'a/3.png' is (no|damaged)"),
    "an image of 10¹⁰ pixels": (packed({**TWO, "a/3.png": huge(100_000, 100_000)}), "'a/3.png' has more than"),
    "an image of 4096x4097": (packed({**TWO, "a/3.png": huge(4096, 4097)}), "at most 16777216"),
    "an image of 4 million pixels in no bytes": (packed({**TWO, "a/3.png": huge(2048, 2048)}), "more than 200 times"),
    "an encrypted image": (encrypted(packed(TWO)), "encrypted"),
    "an exotic method": (packed(TWO, zipfile.ZIP_LZMA), "method 14"),
    "an image in no folder": (packed({**TWO, "3.png": TWO["a/1.png"]}), "class/image"),
    "an image too deep": (packed({**TWO, "a/b/c/3.png": TWO["a/1.png"]}), "class/image"),
    "an image in no class": (packed({"train/a/1.png": png(GRAY[0]), "test/2.png": png(GRAY[1])}), "part/class"),
    "no training part": (packed({"dev/a/1.png": png(GRAY[0]), "test/b/2.png": png(GRAY[1])}), "none is called train"),
    "one class": (packed({"a/1.png": png(GRAY[0]), "a/2.png": png(GRAY[1])}), "1 class folders"),
    "a class without a name": (packed({**TWO, " /3.png": TWO["a/1.png"]}), "characters that print"),
    "a class with a bell": (packed({**TWO, "c\a/3.png": TWO["a/1.png"]}), "characters that print"),
    "a class of 65 characters": (packed({**TWO, "c" * 65 + "/3.png": TWO["a/1.png"]}), "1 to 64 characters"),
    "one image to learn from": (
        packed({"train/a/1.png": png(GRAY[0]), "test/b/2.png": png(GRAY[1])}), "one image to learn from",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_with_a_sentence(tmp_path, name):
    content, sentence = HOSTILE[name]
    with pytest.raises(DataError, match=sentence) as caught:
        read(tmp_path, content)
    assert len(str(caught.value)) < 400


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("a/1.png", "b/2.png", "a/1.png"):
            archive.writestr(name, TWO["a/1.png"])
    with pytest.raises(DataError, match=r"'a/1\.png' twice"):
        read(tmp_path, file.getvalue())


@pytest.mark.parametrize("said", ["true", "false"])
def test_a_zip_bomb_takes_no_memory(tmp_path, said):
    content = bytearray(packed({"a/1.png": bytes(60_000_000), "b/2.png": TWO["b/2.png"]}, zipfile.ZIP_DEFLATED))
    if said == "false":  # the directory says that it expands to eight bytes
        entry = content.index(b"PK\1\2")
        content[entry + 24 : entry + 28] = struct.pack("<I", 8)
    tracemalloc.start()
    with pytest.raises(DataError, match="more than 200 times" if said == "true" else "damaged|no PNG"):
        read(tmp_path, bytes(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_png_bomb_takes_no_memory(tmp_path):
    bomb = png(Image.new("L", (4000, 4000)))
    assert len(bomb) < 40_000
    content = packed({**TWO, "a/bomb.png": bomb})
    tracemalloc.start()
    with pytest.raises(DataError, match=r"'a/bomb\.png' expands"):
        read(tmp_path, content, ImageZipFormat(size="4x5"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_directory_that_would_fill_memory_is_not_listed(tmp_path):
    content = bytearray(packed(TWO))
    content[-10:-6] = struct.pack("<I", 1 << 30)
    with pytest.raises(DataError, match="directory is longer"):
        read(tmp_path, bytes(content))


def test_more_than_65535_images_are_an_archive_too(tmp_path, monkeypatch):
    """From there on a zip file has another kind of end, which Python's writer is made to write at once."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    content = packed(TWO)
    assert content[-42:-38] == b"PK\6\7"
    assert read(tmp_path, content).training.rows == 2
    directory = content.index(b"PK\6\6") + 40
    with pytest.raises(DataError, match="directory is longer"):
        read(tmp_path, content[:directory] + struct.pack("<Q", 1 << 40) + content[directory + 8 :])


def test_limits_are_named_where_they_are_passed(tmp_path):
    for limits, sentence in (
        (ReadLimits(max_rows=1), "at most 1 are allowed"),
        (ReadLimits(max_features=19), "at most 19 values"),
        (ReadLimits(max_expanded_bytes=30), "at most 30 are allowed"),
    ):
        with pytest.raises(DataError, match=sentence):
            read(tmp_path, packed(TWO), limits=limits)


def test_images_come_in_blocks_and_again_when_asked_again(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.data.formats.images.image_zip_format.BLOCK", 40)  # two images of twenty bytes
    path = tmp_path / "images.zip"
    path.write_bytes(packed({f"{n % 2}/{n}.png": png(GRAY[n]) for n in range(5)}))
    incoming = ImageZipFormat().incoming(path)["all"]
    for _ in range(2):
        blocks = list(incoming.blocks())
        assert [len(block["label"]) for block in blocks] == [2, 2, 1]
        np.testing.assert_array_equal(np.concatenate([block["x"] for block in blocks]), GRAY[:5])


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_a_damaged_archive_is_read_or_refused(new_folder, changes, compressed):
    content = bytearray(packed(TWO, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED))
    for place, value in changes:
        content[place % len(content)] = value
    try:
        table = read(new_folder(), bytes(content)).training
    except DataError:
        return
    assert table.rows == 2


def archives() -> list[bytes]:
    """Small ones of every kind of image and layout."""
    kinds = {f"{'ab'[place % 2]}/{place}": photograph(kind, COLOR[0], 6) for place, kind in enumerate(TURNED)}
    parts = {f"{part}\\{name}": png(GRAY[0]) for part in ("Training", "Testing") for name in ("a\\1", "b\\2", "b\\3")}
    deep = {f"{label}/1.png": deep_png(GRAY[:5, :, :, None].astype(int)[0] * 9) for label in "ab"}
    return [
        packed(members, method)
        for members in (kinds, parts, deep)
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ]


def is_read(folder, content: bytes) -> bool:
    """Whether an archive can be read, with nothing left beside it; nothing but DataError says that it cannot."""
    try:
        training = read(folder, content, ImageZipFormat(size="4x3")).training
        assert training.rows >= 2 and training.columns["x"].shape[1:3] == (3, 4)
    except DataError as error:
        assert len(str(error)) < 400
        return False
    finally:
        assert [path.name for path in folder.iterdir()] == ["images.zip"]
    return True


@given(st.integers(0, 2**32))
def test_a_damaged_archive_of_any_kind_is_read_or_refused(new_folder, seed):
    random = Random(seed)  # noqa: S311
    is_read(new_folder(), damaged(random.choice(archives()), random))


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore")
def test_twenty_thousand_damaged_archives_are_read_or_refused_in_bounded_memory(tmp_path):
    assert 500 < read_of(archives(), lambda content: is_read(tmp_path, content), 20_000) < 19_000


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore")
def test_ten_thousand_archives_of_damaged_images_are_read_or_refused_in_bounded_memory(tmp_path):
    def is_read_with(image: bytes) -> bool:
        return is_read(tmp_path, packed({**TWO, "a/3": image}))

    images = [photograph(kind, COLOR[0], 6) for kind in TURNED] + [deep_png(GRAY[0][:, :, None])]
    assert 500 < read_of(images, is_read_with, 10_000) < 9500
