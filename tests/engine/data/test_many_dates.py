"""Dates that are too many to be kept as labels are moments, in files of every kind, and learned from all the same."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from arro3.core import Array, DataType, RecordBatch
from arro3.io import write_parquet

from engine.data import CsvFormat, Dataset
from engine.data.encoding.column_options import DateColumn
from engine.data.encoding.encoder_learning import learn_encoders
from engine.data.encoding.row_reading import read_rows, read_table
from engine.data.formats import words
from engine.data.formats.json.json_format import JsonFormat
from engine.data.formats.parquet.parquet_format import ParquetFormat
from engine.errors import SpecError

FIRST = datetime(1969, 6, 1, 5, 30, tzinfo=UTC)
MOMENTS = [FIRST + timedelta(minutes=n, seconds=n % 60) for n in range(3000)]
EUROPEAN = [f"{moment:%d.%m.%Y %H:%M:%S}" for moment in MOMENTS]
ISO = [f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00") for moment in MOMENTS]


@pytest.fixture(autouse=True)
def few_labels(monkeypatch):
    monkeypatch.setattr(words, "MOST_LABELS", 1000)


def written(folder, kind, texts):
    path = folder / f"t.{kind}"
    if kind == "csv":
        path.write_text("\n".join(["when,n", *(f"{text or ''},{n}" for n, text in enumerate(texts))]))
        return CsvFormat().read(path).training
    if kind == "json":
        path.write_text(json.dumps([{"when": text} for text in texts]))
        return JsonFormat().read(path).training
    seconds = [None if text is None else int(moment.timestamp()) for text, moment in zip(texts, MOMENTS, strict=True)]
    column = Array(seconds, DataType.int64()).cast(DataType.timestamp("s"))
    write_parquet(RecordBatch.from_pydict({"when": column}), path)
    return ParquetFormat().read(path).training


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_very_many_dates_are_moments(tmp_path, kind):
    table = written(tmp_path, kind, [None, *EUROPEAN[1:]])
    held = table.types["when"]
    assert (held.kind, held.holds, held.labels, held.form.order) == (
        "text", "dates", None, "ymd" if kind == "parquet" else "dmy"
    )  # fmt: skip
    assert table.values("when") == [None, *ISO[1:]]
    (column,) = (column for column in table_summary(table) if column["name"] == "when")
    assert column["missing"] == 1 and column["type"] == "text"
    (encoder,) = learn_encoders(table.select(["when"]), {"when": DateColumn(parts=("days", "hour", "weekday"))})
    sent = read_rows([encoder], [{"when": text} for text in (ISO if kind == "parquet" else EUROPEAN)[1:500]])
    stored = read_table([encoder], table.select(["when"]))
    np.testing.assert_allclose(stored.columns[0][1:500], sent.columns[0], rtol=0, atol=1e-9)
    assert np.isnan(stored.columns[0][0]) and encoder.indicator


def table_summary(table):
    return Dataset({"all": table}).summary()["columns"]


def test_a_word_among_very_many_dates_leaves_them_words(tmp_path):
    table = written(tmp_path, "csv", [*EUROPEAN[:-1], "soon"])
    assert table.types["when"].holds == "text" and table.types["when"].form is None


def test_another_order_than_the_dates_told_is_refused(tmp_path):
    table = written(tmp_path, "json", EUROPEAN)
    with pytest.raises(SpecError, match="'when' was read in the order dmy"):
        learn_encoders(table, {"when": DateColumn(order="mdy")})
