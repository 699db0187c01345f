"""A picture becomes the array that Pillow and EXIF say it is, whatever its kind, or is refused by its name."""

import base64
import io
import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from engine.data.formats.images.picture import Picture, picture_in
from engine.data.formats.images.picture_reading import PictureReading
from engine.errors import DataError
from tests.engine.data.damage import damaged, read_of
from tests.engine.data.pictures import KINDS, TURNED, chunk, deep_png, photograph

RANDOM = np.random.default_rng(7)
COLOR = RANDOM.integers(0, 256, (5, 7, 3), np.uint8)
GRAY = RANDOM.integers(0, 256, (5, 7), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", TURNED)
@pytest.mark.parametrize("pixels", [GRAY, COLOR], ids=["gray", "color"])
def test_every_kind_stands_upright(kind, orientation, pixels):
    content = photograph(kind, pixels, orientation)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))
    if kind in ("PNG", "TIFF", "WEBP"):  # without loss: turned by hand
        turned = {
            1: pixels,
            2: pixels[:, ::-1],
            3: pixels[::-1, ::-1],
            4: pixels[::-1],
            5: pixels.swapaxes(0, 1),
            6: np.rot90(pixels, -1),
            7: pixels[::-1, ::-1].swapaxes(0, 1),
            8: np.rot90(pixels),
        }[orientation]
        np.testing.assert_array_equal(upright, turned if turned.ndim == 3 else np.dstack([turned] * 3))
    picture = Picture(content, "it")
    assert picture.size == ((5, 7) if orientation >= 5 else (7, 5))
    np.testing.assert_array_equal(picture.array((*upright.shape[:2], 3)), upright)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_known_by_its_content(kind):
    picture = Picture(photograph(kind, COLOR), "it")
    wanted = np.asarray(Image.open(io.BytesIO(photograph(kind, COLOR))).convert("RGB"))
    np.testing.assert_array_equal(picture.array((5, 7, 3)), wanted)
    assert not picture.is_gray and not picture.is_deep


def test_of_several_frames_the_first_is_taken():
    file = io.BytesIO()
    first, second = (Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (10, 200))
    first.save(file, "GIF", save_all=True, append_images=[second])
    assert (Picture(file.getvalue(), "it").array((4, 4)) == 10).all()


def test_an_orientation_that_stands_behind_the_pixels_counts():
    samples = RANDOM.integers(0, 65536, (2, 3, 1))
    picture = Picture(deep_png(samples, orientation=6), "it")
    assert picture.size == (2, 3)
    np.testing.assert_array_equal(picture.array((3, 2)), np.rint(np.rot90(samples[..., 0], -1) / 257))


def test_exif_that_cannot_be_read_turns_nothing():
    content = photograph("PNG", GRAY)
    content = content[:33] + chunk(b"eXIf", b"nothing that is EXIF") + content[33:]
    np.testing.assert_array_equal(Picture(content, "it").array((5, 7)), GRAY)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_scaled_so_that_white_is_white(channels):
    samples = RANDOM.integers(0, 900, (5, 7, channels))
    colors = channels - (channels in (2, 4))
    if channels in (2, 4):
        samples[..., -1] = 65535  # opaque
    picture = Picture(deep_png(samples), "it")
    assert picture.is_deep and picture.is_gray == (channels < 3)
    assert picture.greatest() == samples[..., :colors].max()
    wanted = np.rint(np.minimum(samples[..., :colors] / 800, 1) * 255)
    found = picture.array((5, 7) if channels < 3 else (5, 7, 3), 800)
    np.testing.assert_array_equal(found, wanted[..., 0] if channels < 3 else wanted)


def test_what_can_be_seen_through_stands_on_white_in_sixteen_bits_too():
    samples = np.full((2, 2, 4), 300)
    samples[0, :, 3] = 0
    found = Picture(deep_png(samples, late_chunk=b""), "it").array((2, 2, 3), 300)
    assert (found[0] == 255).all()
    clear = chunk(b"tRNS", b"\x00\x07")  # the value 7 is transparent
    found = Picture(deep_png(np.array([[[7], [8]]]), late_chunk=clear), "it").array((1, 2), 255)
    assert found.tolist() == [[255, 8]]


def test_tiffs_of_sixteen_bits_are_read_where_they_are_gray():
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 2000], [4000, 1000]], np.uint16)).save(file, "TIFF")
    assert Picture(file.getvalue(), "it").array((2, 2), 4000).tolist() == [[0, 128], [255, 64]]
    for array, says in ((np.array([[-5, 70]], np.int32), "from -5 to 70"), (np.ones((1, 2), np.float32), "fractions")):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "TIFF")
        with pytest.raises(DataError, match=f"it holds .*{says}|it holds {says}"):
            Picture(file.getvalue(), "it").array((1, 2), 255)


SENT = photograph("PNG", COLOR)


@pytest.mark.parametrize(
    "sent",
    [
        SENT,
        base64.b64encode(SENT).decode(),
        base64.b64encode(SENT).decode().rstrip("="),
        base64.urlsafe_b64encode(SENT).decode(),
        base64.encodebytes(SENT).decode(),
        "data:image/png;base64," + base64.b64encode(SENT).decode(),
        base64.b64encode(SENT),
    ],
)
def test_a_picture_is_sent_as_its_bytes_or_as_text(sent):
    np.testing.assert_array_equal(picture_in(sent, (5, 7, 3), PictureReading()), COLOR)


def test_a_picture_whose_bytes_could_be_text_is_a_picture():
    content = photograph("BMP", np.full((4, 4), 65, np.uint8))
    np.testing.assert_array_equal(picture_in(content, (4, 4), PictureReading()), np.full((4, 4), 65))


def test_another_size_is_refused_unless_those_learned_from_were_resized():
    with pytest.raises(DataError, match=r"is 7x5, width x height, .* are 14x10; resize it, .*size=14x10"):
        picture_in(SENT, (10, 14, 3), PictureReading())
    wanted = np.asarray(Image.fromarray(COLOR).resize((14, 10), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(picture_in(SENT, (10, 14, 3), PictureReading(resized=True)), wanted)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ("", "no picture"),
        ("hello, world", "no picture"),
        ("aGVsbG8=", "the picture is no PNG, JPEG, WebP, BMP, GIF or TIFF"),
        ("data:image/png;base64,", "no picture"),
        ("é" * 20, "no picture"),
        (SENT[:-30], "the picture is damaged"),
        (photograph("GIF", COLOR)[:-20], "the picture is damaged"),
        (photograph("BMP", COLOR)[:-20], "the picture is damaged"),
        (photograph("WEBP", COLOR)[:-10], "the picture is (damaged|no PNG)"),
        (photograph("TIFF", COLOR)[:60], "the picture is (damaged|no PNG)"),
        (photograph("PNG", np.zeros((5000, 4000), np.uint8)), "4000x5000 pixels; at most"),
        (photograph("PNG", np.zeros((4000, 4000), np.uint8)), "expands from"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(sent, says):
    with pytest.raises(DataError, match=says) as caught:
        picture_in(sent, (5, 7, 3), PictureReading())
    assert len(str(caught.value)) < 300


def test_a_tile_larger_than_the_picture_takes_no_memory():
    content = bytearray(photograph("TIFF", np.zeros((16, 16), np.uint8)))
    # the tag of rows per strip becomes that of a tile's width: 268 million
    place = content.index(b"\x16\x01\x04\x00")
    content[place : place + 12] = b"\x42\x01\x04\x00\x01\x00\x00\x00\xff\xff\xff\x0f"
    tracemalloc.start()
    with pytest.raises(DataError, match="it has tiles of more than"):
        Picture(bytes(content), "it").array((16, 16))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


FUZZED = [photograph(kind, COLOR, 6 if kind in TURNED else 1) for kind in KINDS]
FUZZED += [deep_png(RANDOM.integers(0, 65536, (5, 7, channels)), orientation=8) for channels in (1, 2, 3, 4)]
FUZZED += [photograph("TIFF", COLOR, compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")]
FUZZED += [photograph("GIF", GRAY), photograph("JPEG", GRAY, progressive=True), photograph("WEBP", GRAY)]
FUZZED += [photograph(kind, Image.fromarray(COLOR).quantize(16)) for kind in ("PNG", "BMP", "GIF", "TIFF")]
FUZZED += [photograph("PNG", Image.fromarray(COLOR).quantize(16), 5, transparency=bytes(range(16)))]
FUZZED += [photograph("TIFF", GRAY.astype(np.uint16) * 9)]


def look(content: bytes) -> bool:
    """Whether a picture can be read, in all that is asked of one; nothing but DataError says that it cannot."""
    try:
        picture = Picture(content, "it")
        assert min(picture.size) > 0 and picture.is_gray in (True, False)
        white = max(picture.greatest(), 1) if picture.is_deep else 400
        for shape in ((6, 4, 3), (2, 3)):
            found = picture.array(shape, white)
            assert found.shape == shape and found.dtype == np.uint8
    except DataError as error:
        assert 10 < len(str(error)) < 300 and str(error).startswith("it ")
        return False
    return True


@given(st.sampled_from(FUZZED), st.integers(0, 2**32))
def test_a_damaged_picture_is_read_or_refused(content, seed):
    look(damaged(content, Random(seed)))  # noqa: S311


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore")
def test_twenty_thousand_damaged_pictures_are_read_or_refused_in_bounded_memory():
    assert 2000 < read_of(FUZZED, look, 20_000) < 18_000
