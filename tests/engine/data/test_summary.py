"""A summary says what NumPy says of the columns as wholes, however many blocks they are walked in."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.data import Dataset, Table
from engine.data.column_types import BooleanType, CategoryType, TextType

ANY = st.floats(allow_nan=True, allow_infinity=False, width=32)


def told(parts: dict[str, Table], place: int = 0) -> dict[str, object]:
    summary = Dataset(parts).summary()
    json.dumps(summary, allow_nan=False)
    return summary["columns"][place]


def test_a_summary_says_what_the_columns_hold():
    table = Table({"x": np.array([[1.0, 2.0], [3.0, 6.0]]), "label": np.array([7, 3])})
    summary = Dataset({"train": table, "test": table}).summary()
    assert summary["rows"] == {"train": 2, "test": 2}
    x, label = summary["columns"]
    assert x == {
        "name": "x", "type": "tensor", "dtype": "float64", "shape": [2], "min": 1.0, "max": 6.0, "mean": 3.0,
        "std": pytest.approx(np.std([1, 2, 3, 6])), "missing": 0,
        "histogram": {"edges": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5], "counts": [2, 2, 2, 0, 0, 2]},
    }  # fmt: skip
    assert label == {
        "name": "label", "type": "number", "dtype": "int64", "shape": [], "min": 3, "max": 7, "mean": 5.0, "std": 2.0,
        "missing": 0, "distinct": 2, "classes": [3, 7],
        "histogram": {"edges": [2.5, 3.5, 4.5, 5.5, 6.5, 7.5], "counts": [2, 0, 0, 0, 2]},
    }  # fmt: skip


@given(values=arrays(np.float64, st.integers(1, 60), elements=ANY), block=st.sampled_from([1, 3, 1 << 20]))
def test_numbers_are_described_as_numpy_does(values, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.data.summary.BLOCK", block)
        column = told({"all": Table({"x": values})})
    present = values[~np.isnan(values)]
    assert column["missing"] == np.isnan(values).sum()
    if not present.size:
        assert column["min"] is column["mean"] is column["histogram"] is None
        return
    assert (column["min"], column["max"]) == (present.min(), present.max())
    assert column["mean"] == pytest.approx(present.mean(), rel=1e-9, abs=1e-9 * np.abs(present).max())
    assert column["std"] == pytest.approx(present.std(), rel=1e-6, abs=1e-7 * np.abs(present).max())
    assert column["distinct"] == len(np.unique(present))
    if column["histogram"] is not None:
        counts, _ = np.histogram(present, column["histogram"]["edges"])
        assert column["histogram"]["counts"] == counts.tolist() and sum(counts) == len(present)


def test_categories_are_counted_with_what_is_missing():
    table = Table(
        {
            "kind": np.array([2, 0, 2, -1, 2, 0], np.int32),
            "flag": np.array([1.0, 0.0, np.nan, 1.0, 1.0, 1.0]),
            "note": np.array([10, 20, 30, -1, 50, 60], np.int64),
        },
        {"kind": CategoryType(labels=("a", "b", "c")), "flag": BooleanType(), "note": TextType(holds="dates")},
    )
    kind, flag, note = Dataset({"all": table}).summary()["columns"]
    assert kind["top"] == [{"value": "c", "rows": 3}, {"value": "a", "rows": 2}]
    assert (kind["missing"], kind["distinct"], kind["other"], kind["classes"]) == (1, 2, 0, ["a", "b", "c"])
    assert flag["top"] == [{"value": True, "rows": 4}, {"value": False, "rows": 1}] and flag["missing"] == 1
    assert (note["type"], note["holds"], note["missing"], note["distinct"]) == ("text", "dates", 1, None)


def test_many_categories_are_counted_by_the_top_ten():
    codes = np.repeat(np.arange(30, dtype=np.int32), np.arange(30, 0, -1))
    table = Table({"kind": codes}, {"kind": CategoryType(labels=tuple(map(str, range(30))))})
    column = told({"all": table})
    assert [entry["value"] for entry in column["top"]] == [str(number) for number in range(10)]
    assert column["other"] == sum(range(1, 21)) and "classes" not in column


def test_more_values_than_are_told_apart_are_many():
    column = told({"all": Table({"x": np.arange(20_000) / 7})})
    assert column["distinct"] is None and "classes" not in column


def test_a_range_beyond_float64_has_no_histogram():
    column = told({"all": Table({"x": np.array([-1.7e308, 1.7e308, 0.0])})})
    assert column["histogram"] is None and (column["min"], column["max"]) == (-1.7e308, 1.7e308)


def test_bytes_of_images_are_counted():
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4)).astype(np.uint8)
    column = told({"all": Table({"image": images})})
    assert column["mean"] == pytest.approx(images.mean()) and column["std"] == pytest.approx(images.std())
    assert sum(column["histogram"]["counts"]) == images.size


def test_of_very_many_values_some_are_counted(monkeypatch):
    monkeypatch.setattr("engine.data.summary.BLOCK", 100)
    monkeypatch.setattr("engine.data.summary.COUNTED", 250)
    column = told({"all": Table({"x": np.arange(1000.0)})})
    assert sum(column["histogram"]["counts"]) == 300 and (column["min"], column["max"]) == (0, 999)
