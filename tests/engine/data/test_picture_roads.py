"""A picture gives the same inputs, bit for bit, among those to learn from and as a row to predict."""

import base64
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.encoding.normalizers import StandardNormalizer
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.encoding.target_column import TargetColumn
from engine.data.formats.images.image_zip_format import ImageZipFormat
from engine.data.reading.unreadable import UnreadableRows
from engine.data.storage.stored import load, store
from engine.errors import DataError
from tests.engine.data.drawn_pictures import pictures
from tests.engine.data.pictures import deep_png, photograph


@given(
    sent=st.lists(pictures(), min_size=2, max_size=5),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)).map(lambda size: f"{size[0]}x{size[1]}"),
    mode=st.sampled_from(["auto", "grayscale", "color"]),
    white=st.none() | st.integers(1, 65535),
)
def test_a_picture_gives_the_same_inputs_on_every_road(new_folder, sent, size, mode, white):
    folder = new_folder()
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for place, content in enumerate(sent):
            archive.writestr(f"{'ab'[place % 2]}/{place}.jpg", content)
    store(folder / "a", ImageZipFormat(size=size, mode=mode, white=white).incoming(folder / "a.zip"))
    table = load(folder / "a")["all"].select(["x"])
    target = TargetColumn("label", "classes", ("a", "b"))
    preprocessor = Preprocessor.learn(table, StandardNormalizer(), target)
    preprocessor = Preprocessor.from_json(preprocessor.to_json(), preprocessor.arrays())
    wanted = preprocessor.features(table, np.float32)
    texts = [base64.b64encode(content).decode() for content in sent]
    for rows in ([{"x": text} for text in texts], [[text] for text in texts], [[content] for content in sent]):
        np.testing.assert_array_equal(preprocessor.rows(rows, np.float32)[0], wanted)
    arrays = table.whole("x")
    np.testing.assert_array_equal(preprocessor.rows(arrays, np.float32)[0], wanted)
    lists = [{"x": array} for array in arrays.tolist()]
    np.testing.assert_array_equal(preprocessor.rows(lists, np.float32)[0], wanted)


def of_whites(folder, *pictures: bytes, **options):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for place, content in enumerate(pictures):
            archive.writestr(f"{'ab'[place % 2]}/{place}.png", content)
    return ImageZipFormat(**options).read(folder / "a.zip").training.select(["x"])


def test_pictures_of_another_white_are_refused_and_those_of_eight_bits_are_not(tmp_path):
    bright, dark = (deep_png(np.full((2, 2, 1), value)) for value in (3000, 1500))
    shallow = photograph("PNG", np.full((2, 2), 7, np.uint8))
    preprocessor = Preprocessor.learn(
        of_whites(tmp_path, bright, dark), StandardNormalizer(), TargetColumn("label", "classes", ("a", "b"))
    )
    with pytest.raises(DataError, match=r"'x' holds pictures in which 1500 is white, .* upload them with white=3000"):
        preprocessor.features(of_whites(tmp_path, dark, dark))
    np.testing.assert_array_equal(
        preprocessor.features(of_whites(tmp_path, dark, shallow, white=3000)), preprocessor.rows([[dark], [shallow]])[0]
    )
    np.testing.assert_array_equal(
        preprocessor.features(of_whites(tmp_path, shallow, shallow)), preprocessor.rows([[shallow], [shallow]])[0]
    )


def test_a_row_of_a_picture_names_its_row_and_field(tmp_path):
    picture = photograph("PNG", np.zeros((4, 4), np.uint8))
    table = of_whites(tmp_path, picture, picture)
    preprocessor = Preprocessor.learn(table, StandardNormalizer(), TargetColumn("label", "classes", ("a", "b")))
    rows = [{"x": picture}, {"x": picture[:30]}, {"x": "no"}]
    with pytest.raises(UnreadableRows, match="row 1, field 'x': the picture is") as caught:
        preprocessor.rows(rows)
    assert [fault.pointer for fault in caught.value.faults] == ["/rows/1/x", "/rows/2/x"]


def test_pictures_of_a_request_have_so_many_pixels_in_all(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.data.formats.images.picture.MANY", 0)
    picture = photograph("PNG", np.zeros((400, 400), np.uint8))
    table = of_whites(tmp_path, picture + bytes(3000), picture + bytes(3000), size="4x4")
    preprocessor = Preprocessor.learn(table, StandardNormalizer(), TargetColumn("label", "classes", ("a", "b")))
    assert len(preprocessor.rows([[picture + bytes(3000)]] * 9)[0]) == 9
    with pytest.raises(UnreadableRows, match="row 2, field 'x': the picture and those before it have more than"):
        preprocessor.rows([[picture]] * 9)
