"""Dates become inputs that the standard library's calendar agrees with, on every road alike."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.column_types import CategoryType, TextType
from engine.data.encoding.column_options import DateColumn
from engine.data.encoding.date_encoder import DateEncoder, part_of
from engine.data.encoding.encoder_learning import learn_encoders
from engine.data.encoding.row_reading import read_rows, read_table
from engine.data.reading.unreadable import UnreadableRows
from engine.data.table import Table
from engine.errors import SpecError

EPOCH = date(1970, 1, 1)
PARTS = ("year", "month", "day", "weekday", "hour", "days")


def table_of(*texts):
    """A column of dates, None where one is missing."""
    labels = tuple(sorted({text for text in texts if text is not None}))
    codes = [-1 if text is None else labels.index(text) for text in texts]
    return Table({"when": np.array(codes, np.int32)}, {"when": TextType(holds="dates", labels=labels)})


def learned(table, **option):
    (encoder,) = learn_encoders(table, {"when": DateColumn(**option)})
    return encoder


def inputs(encoder, *values):
    read = read_rows([encoder], [{"when": value} for value in values])
    out = np.empty((len(values), encoder.width))
    encoder.encode(read.columns[0], out)
    return [dict(zip(encoder.names(), row, strict=True)) for row in out.tolist()], read.marks()


@given(day=st.dates(date(100, 1, 1)))
def test_parts_are_those_of_the_calendar(day):
    days = np.array([(day - EPOCH).days + 0.75])
    found = {part: part_of(days, part).item() for part in PARTS}
    assert found == {
        "year": day.year, "month": day.month - 1, "day": day.day, "weekday": day.weekday(), "hour": 18, "days": days[0],
    }  # fmt: skip


def test_a_date_is_numbers_and_an_input_for_each_month_and_weekday():
    encoder = learned(table_of("2024-01-30", "2024-02-01", "2024-02-29"))
    assert encoder.scaled == 2 and encoder.width == 2 + 12 + 7
    ((row,), marks) = inputs(encoder, "2024-02-29")  # a Thursday
    assert not marks
    assert {name for name, value in row.items() if value} == {
        "when year", "when days", "when month = February", "when weekday = Thursday"
    }  # fmt: skip
    assert row["when year"] == 2024 and row["when days"] == (date(2024, 2, 29) - EPOCH).days


def test_stored_and_sent_dates_are_the_same_inputs():
    texts = ["03/11/2024", None, "24/12/2024 18:00", "unknown", "01/01/2023"]
    table = table_of(*texts)
    encoder = learned(table, parts=PARTS, missing_words=("Unknown",))
    stored, sent = read_table([encoder], table), read_rows([encoder], [{"when": text} for text in texts])
    np.testing.assert_array_equal(stored.columns[0], sent.columns[0])
    assert np.isnan(stored.columns[0]).tolist() == [False, True, False, True, False] and encoder.indicator
    out = np.empty((5, encoder.width))
    encoder.encode(stored.columns[0], out)
    row = dict(zip(encoder.names(), out[1], strict=True))  # filled by the date in the middle
    assert (row["when year"], row["when day"], row["when month = November"], row["when is missing"]) == (2024, 3, 1, 1)
    assert stored.marks().filled == {1: ["when"], 3: ["when"]}


def test_a_month_that_training_never_met_has_no_influence_of_its_own():
    encoder = learned(table_of("2024-01-01", "2024-01-08", "2024-02-05"), parts=("month",))  # Mondays
    (july, january), marks = inputs(encoder, "2024-07-01", "2024-01-02")
    assert marks.unseen == {0: ["when"]}
    assert july["when month = January"] == pytest.approx(2 / 3) and july["when month = July"] == 0
    assert january["when month = January"] == 1 and sum(january.values()) == 1


def test_dates_far_from_those_of_training_are_marked():
    encoder = learned(table_of("2024-01-01", "2024-12-31"))
    _, marks = inputs(encoder, "2025-12-31", "2026-01-02", "2022-12-30")
    assert marks.outside == {1: ["when"], 2: ["when"]}


def test_what_is_no_date_is_refused_by_row():
    encoder = learned(table_of("31/01/2024", "01/02/2024"))
    with pytest.raises(UnreadableRows) as caught:
        inputs(encoder, "31/01/2024", "soon", 45000, True, "01/31/2024")
    assert [(fault.row, fault.detail.partition(" holds ")[2]) for fault in caught.value.faults] == [
        (1, "'soon'; it takes dates such as '31/12/2024'"), (2, "45000; it takes dates such as '31/12/2024'"),
        (3, "true; it takes dates such as '31/12/2024'"), (4, "'01/31/2024'; it takes dates such as '31/12/2024'"),
    ]  # fmt: skip


def test_cells_that_are_no_dates_are_counted_and_may_be_missing():
    table = table_of("2024-01-01", "soon", "2024-01-02", "soon", "later")
    with pytest.raises(SpecError, match=r"3 cells of column 'when' are no date, such as 'soon', 'later'") as caught:
        learned(table)
    assert '{"when": {"type": "date", "unreadable": "missing"}}' in str(caught.value)
    encoder = learned(table, unreadable="missing")
    assert encoder.indicator and encoder.option().unreadable == "missing"
    assert inputs(encoder, "whenever")[1].filled == {0: ["when"]}


def test_an_order_that_nothing_settles_has_to_be_said():
    table = table_of("01/02/2024", "03/04/2024")
    with pytest.raises(SpecError, match="such as '01/02/2024', and none that tells days from months") as caught:
        learned(table)
    assert caught.value.pointer == "/data/columns/when/order"
    february = learned(table, order="dmy")
    assert inputs(february, "01/02/2024")[0][0]["when month = February"] == 1
    assert february.option() == DateColumn(order="dmy")


def test_labels_and_numbers_may_be_dates_as_well():
    days = Table({"when": np.array([0, 1], np.int32)}, {"when": CategoryType(labels=("Jan 5, 2024", "Mar 7, 2024"))})
    assert inputs(learned(days), "Mar 7, 2024")[0][0]["when month = March"] == 1
    whole = Table({"when": np.array([20240105.0, 20240307.0])})
    assert inputs(learned(whole), "20240307")[0][0]["when month = March"] == 1


def test_an_encoder_reads_back_from_json():
    encoder = learned(table_of("2024-01-01", None, "2024-12-31"), parts=("weekday", "days"))
    assert DateEncoder.model_validate_json(encoder.model_dump_json()) == encoder
    with pytest.raises(ValueError, match="'year' is listed 2 times"):
        DateColumn(parts=("year", "year"))


def test_a_week_is_a_week_later():
    first = date(2024, 1, 1)
    texts = [(first + timedelta(days=n)).isoformat() for n in range(70)]
    encoder = learned(table_of(*texts), parts=("weekday",))
    rows, _ = inputs(encoder, *texts)
    assert rows[:7] == rows[7:14] and all(sum(row.values()) == 1 for row in rows)
