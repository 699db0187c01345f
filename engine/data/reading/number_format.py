"""Number format: how the numbers of a column are written, in whatever country, currency or unit."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from engine.component import Component
from engine.data.reading.cell_values import is_beyond_exact, is_code, number_in

_CURRENCIES = (
    "$ € £ ¥ ₹ ₽ ₩ ₺ ₴ ₪ ฿ US$ A$ C$ R$ kr zł Kč Ft USD EUR GBP JPY CHF CNY INR RUB CAD AUD NZD SEK NOK DKK PLN CZK "
    "HUF TRY BRL MXN KRW ZAR"
)
_MEASURES = (
    "% ‰ ° °C °F K kg g mg µg t lb lbs oz km m cm mm mi ft in yd ha ac m² sqft sqm l L ml cl dl gal s sec ms min h hr "
    "hrs d day days wk weeks mo months y yr yrs year years km/h mph m/s kmpl bhp hp CC cc V A W kW kWh MW Hz kHz MHz "
    "GHz kB KB MB GB TB px pt bpm mmHg kPa hPa Pa bar kcal kJ J ppm ppb dB"
)
MEASURES = frozenset(_MEASURES.split())  # which stand behind numbers only: A1 is no ampere
UNITS = MEASURES | frozenset(_CURRENCIES.split())
MULTIPLIERS = {"k": 3, "K": 3, "M": 6, "mn": 6, "B": 9, "bn": 9}
_BLANKS = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2019": "'"}
)  # as people type them
_AROUND = re.compile(r"\(?[+-]?\s*([^\d.,+\-()\s]*)\s*[+-]?\d[\d.,' _]*([eE][+-]?\d+)?\s*([^\d()]*?)\s*\)?")

Unit = Annotated[str, StringConstraints(max_length=16)]


class NumberFormat(Component):
    """Number format: the decimal sign, what sets thousands apart, and what stands beside a number.

    A percent sign, like every unit, is left out of the value: 13.5% is 13.5.
    """

    decimal: Literal[".", ","] = Field(".", description="The decimal sign.")
    thousands: Literal["", ",", ".", " ", "'", "_"] = Field("", description="What sets thousands apart.")
    unit: Unit = Field("", description="What may stand before or behind a number: `$`, `%`, `kg`.")
    multiplied: bool = Field(False, description="Whether k, M and B behind a number multiply it: 19M is 19000000.")
    accounting: bool = Field(False, description="Whether (5) and 5- are -5, as accountants write.")

    def number(self, text: str) -> float | None:
        """The number that a text is, infinity where it is too large; None for anything else."""
        plain = number_in(text)
        if (
            self == PLAIN
            or is_code(text.strip())
            or (plain is not None and self.decimal == "." and self.thousands != ".")
        ):
            return plain
        text, negative = text.strip().translate(_BLANKS), False
        if self.accounting and (inside := _accounted(text)) is not None:
            text, negative = inside, True
        found = _pattern(self).fullmatch(text)
        if found is None or (found["first"] and found["second"]) or (negative and (found["first"] or found["second"])):
            return None
        whole = found["whole"].replace(self.thousands, "") if self.thousands else found["whole"]
        fraction = found["fraction"] or ""
        if not whole + fraction or (len(whole) > 1 and whole[0] == "0" and not fraction):
            return None  # nothing, or a code such as 007
        if not fraction and not found["exponent"] and is_beyond_exact(whole):
            return None
        times = MULTIPLIERS[found["times"]] if self.multiplied and found["times"] else 0
        number = float(f"{whole or 0}.{fraction or 0}{found['exponent'] or f'e{times}'}")
        return -number if negative or "-" in (found["first"], found["second"]) else number


PLAIN = NumberFormat()
_SEPARATORS = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"), (".", "_"))


def guess_format(texts: Sequence[str]) -> tuple[NumberFormat, int]:
    """The format that reads most of some texts, of equals the plainest, and how many it reads."""
    units, multiplied, accounting = _beside(texts)
    best, most = PLAIN, sum(number is not None and math.isfinite(number) for number in map(number_in, texts))
    for unit in dict.fromkeys(("", *units)):
        for decimal, thousands in _SEPARATORS:
            if most == len(texts):
                return best, most
            candidate = NumberFormat.model_validate(
                {
                    "decimal": decimal,
                    "thousands": thousands,
                    "unit": unit,
                    "multiplied": multiplied,
                    "accounting": accounting,
                }
            )
            read = sum(number is not None and math.isfinite(number) for number in map(candidate.number, texts))
            if read > most:
                best, most = candidate, read
    return best, most


def _beside(texts: Iterable[str]) -> tuple[list[str], bool, bool]:
    """What stands beside the numbers of some texts: the commonest unit, if any; multipliers; accountants' signs."""
    units: Counter[str] = Counter()
    multiplied = accounting = False
    for text in texts:
        plain = text.strip().translate(_BLANKS)
        inside = _accounted(plain)
        accounting = accounting or inside is not None
        found = _AROUND.fullmatch(plain if inside is None else inside)
        if found is None:
            continue
        before, behind = found[1], found[3]
        if behind and behind not in UNITS:
            times = next((sign for sign in sorted(MULTIPLIERS, key=len, reverse=True) if behind.startswith(sign)), "")
            multiplied, behind = multiplied or bool(times), behind.removeprefix(times).strip()
        elif behind in MULTIPLIERS and behind in ("k", "K", "M", "B"):
            multiplied, behind = True, ""
        units.update(unit for unit in (before, behind) if unit in UNITS and (unit == behind or unit not in MEASURES))
    return [unit for unit, _ in units.most_common(1)], multiplied, accounting


def _accounted(text: str) -> str | None:
    """What stands in parentheses, or before a minus at the end."""
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip()
    if len(text) > 1 and text.endswith("-") and text[0] not in "+-":
        return text[:-1].strip()
    return None


@lru_cache(maxsize=256)
def _pattern(form: NumberFormat) -> re.Pattern[str]:
    whole = r"\d*"
    if form.thousands:
        sign = re.escape(form.thousands)
        whole = rf"[1-9]\d{{0,2}}(?:{sign}\d{{3}})+|[1-9]\d?(?:{sign}\d{{2}})+{sign}\d{{3}}|\d*"
    unit = rf"(?:{re.escape(form.unit)}\s*)?" if form.unit and form.unit not in MEASURES else ""
    times = rf"\s*(?P<times>{'|'.join(MULTIPLIERS)})?" if form.multiplied else ""
    behind = rf"\s*(?:{re.escape(form.unit)})?" if form.unit else ""
    return re.compile(
        rf"(?P<first>[+-]?)\s*{unit}(?P<second>[+-]?)(?P<whole>{whole})(?:{re.escape(form.decimal)}(?P<fraction>\d*))?"
        rf"(?P<exponent>[eE][+-]?\d+)?{times}{behind}",
        re.ASCII,
    )
