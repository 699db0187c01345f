"""Dates are read as the standard library reads them, and an order that nothing settles is not guessed."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.reading.cell_values import is_date
from engine.data.reading.date_format import DateFormat, guess_date_format

EPOCH = date(1970, 1, 1)


def days(day):
    return (day - EPOCH).days


WRITTEN = {
    "%Y-%m-%d": "ymd", "%Y/%m/%d": "ymd", "%Y.%m.%d": "ymd", "%Y%m%d": "ymd", "%d/%m/%Y": "dmy", "%m/%d/%Y": "mdy",
    "%d.%m.%Y": "dmy", "%d-%m-%y": "dmy", "%m/%d/%y": "mdy", "%d %b %Y": "ymd", "%d-%b-%y": "ymd", "%d %B %Y": "ymd",
    "%b %d, %Y": "ymd", "%B %d %Y": "ymd",
}  # fmt: skip


@given(day=st.dates(date(1969, 1, 1), date(2068, 12, 31)), form=st.sampled_from(sorted(WRITTEN)))
def test_a_date_in_any_form_is_its_day(day, form):
    text = day.strftime(form)
    assert DateFormat(order=WRITTEN[form]).days(text) == DateFormat(order=WRITTEN[form]).days(f" {text} ") == days(day)
    assert form == "%Y%m%d" or is_date(text)


@given(
    moment=st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1)),
    minutes=st.none() | st.integers(-14 * 60, 14 * 60),
    sign=st.sampled_from("T "),
)
def test_a_moment_is_a_day_and_a_fraction_in_utc(moment, minutes, sign):
    zone = UTC if minutes is None else timezone(timedelta(minutes=minutes))
    text = moment.isoformat(sep=sign) if minutes is None else moment.replace(tzinfo=zone).isoformat(sep=sign)
    expected = moment.replace(tzinfo=zone).timestamp() / 86400
    assert DateFormat().days(text) == pytest.approx(expected, rel=0, abs=1e-9)


def test_times_of_day_are_read_as_people_write_them():
    read = DateFormat(order="mdy").days
    assert read("1/2/2024 3:04 PM") == days(date(2024, 1, 2)) + (15 + 4 / 60) / 24
    assert read("1/2/2024 12:00 am") == days(date(2024, 1, 2))
    assert read("2024-03") == days(date(2024, 3, 1))


@pytest.mark.parametrize(
    "text",
    ["", "unknown", "2024-02-30", "2024-13-01", "1/2/2024", "31.04.2024", "12 Mai 2024", "2024-01-01 25:00", "24",
     "7.5", "2024-01-01 13:00 PM", "Sept 31, 2024", "2024-01/02", "2024-01-01T", "99999999"],
)  # fmt: skip
def test_what_is_no_date_is_none(text):
    assert DateFormat().days(text) is None


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["2024-01-02", "2024/03/04"], "ymd"),
        (["12 Jan 2024", "2024-03-04"], "ymd"),
        (["01/02/2024", "13/02/2024", "03/04/2024"], "dmy"),
        (["01/02/2024", "02/13/2024", "03/04/2024"], "mdy"),
        (["01.02.2024", "03.04.2024"], "dmy"),
        (["05/05/2024", "06/06/24"], "dmy"),
        (["01/02/2024", "03/04/2024"], None),
        (["01/02/2024", "2024-03-04", "unknown"], None),
        (["unknown", "pending"], "ymd"),
    ],
)
def test_the_order_is_what_all_dates_together_tell(texts, order):
    guessed = guess_date_format(texts)
    assert (guessed and guessed.order) == order
