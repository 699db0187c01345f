"""Numbers as people write them are read by the format of their column, or not taken for numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.reading.number_format import NumberFormat, guess_format

COLUMNS = {
    "plain": (["1", "2.5", "-3e-2"], [1, 2.5, -0.03]),
    "decimal commas": (["18,0", "307,25", "-0,5"], [18, 307.25, -0.5]),
    "thousands": (["3,866", "12", "1,234,567.5"], [3866, 12, 1234567.5]),
    "points for thousands": (["1.234,5", "12.345.678", "7"], [1234.5, 12345678, 7]),
    "spaces for thousands": (["1 234,5", "12 345 678", "7"], [1234.5, 12345678, 7]),
    "Swiss": (["1'234.5", "7"], [1234.5, 7]),
    "lakh and crore": (["12,34,567", "1,00,000"], [1234567, 100000]),
    "percent": (["13.49%", "5 %", "-2%"], [13.49, 5, -2]),
    "dollars": (["$49,200", "-$5", "$ 7.5"], [49200, -5, 7.5]),
    "euros behind": (["1.234,50 €", "7,25 €"], [1234.5, 7.25]),
    "kilograms": (["70 kg", "65.5kg"], [70, 65.5]),
    "multipliers": (["19M", "201k", "1.1B"], [19e6, 201e3, 1.1e9]),
    "accounting": (["(1,234.50)", "7", "$(5)"], [-1234.5, 7, None]),
    "minus behind": (["5-", "7"], [-5, 7]),
    "a minus as typesetters write it": (["−5", "7"], [-5, 7]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_read_by_the_format_that_its_cells_have(name: str) -> None:
    texts, numbers = COLUMNS[name]
    form, read = guess_format(texts)
    assert [form.number(text) for text in texts] == pytest.approx(numbers, nan_ok=True)
    assert read == sum(number is not None for number in numbers)


@pytest.mark.parametrize(
    "texts",
    [
        ["A1", "A2"],
        ["007", "012"],
        ["655e38", "1"],
        ["1-2", "3-4"],
        ["12:30", "7:15"],
        ["1.2.3", "4.5.6"],
        ["$1", "€1"],
    ],
    ids=str,
)
def test_what_only_looks_like_numbers_is_none(texts: list[str]) -> None:
    form, read = guess_format(texts)
    assert read < len(texts), form


@given(
    st.floats(-1e9, 1e9).map(lambda number: round(number, 4)),
    st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'")]),
    st.sampled_from(["", "$", "%", "kg"]),
    st.booleans(),
)
def test_what_is_written_in_a_format_is_read_by_it(
    number: float, signs: tuple[str, str], unit: str, before: bool
) -> None:
    decimal, thousands = signs
    text = f"{number:,.4f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)
    form = NumberFormat(decimal=decimal, thousands=thousands, unit=unit)  # type: ignore[arg-type]
    assert form.number(f"{unit}{text}" if before and unit == "$" else f"{text} {unit}") == pytest.approx(
        number, abs=1e-9
    )
