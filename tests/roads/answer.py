"""What a service said to rows, however it said it: a prediction a row with its marks, or what it could not read."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import httpx
import numpy as np

Marks = Mapping[str, frozenset[str]]
CELL = re.compile(r"""row (\d+), field (?:'([^']*)'|"([^"]*)")""")
CLOSE, EPSILON = 1e-5, 2e-7  # of logits, and of probabilities, which float32 rounds
KINDS = ("filled", "unseen", "outside")


@dataclass(frozen=True)
class Prediction:
    """A label, probabilities or values to the bit, and what was said of the row."""

    label: str | None
    numbers: tuple[float, ...]
    marks: Marks


@dataclass(frozen=True)
class Answered:
    """A prediction for each row."""

    rows: Sequence[Prediction]


@dataclass(frozen=True)
class Refused:
    """The rows and fields that could not be read; the first is enough where a road names no more."""

    places: frozenset[tuple[int, str]]
    said: str
    all_named: bool = True


@dataclass(frozen=True)
class Failed:
    """Anything else that a service may say."""

    said: str


Answer = Answered | Refused | Failed


def of_json(answer: httpx.Response, names: Sequence[str] = ()) -> Answer:
    """An answer to /predict in JSON; `names` are the fields that places in lists stand for."""
    if answer.status_code != 200:
        found = refusal(answer)
        if names and isinstance(found, Refused):
            named = {(row, names[int(field)] if field.isdigit() else field) for row, field in found.places}
            return Refused(frozenset(named), found.said)
        return found
    return Answered([_prediction(row) for row in answer.json()["predictions"]])


def of_csv(answer: httpx.Response) -> Answer:
    return refusal(answer) if answer.status_code != 200 else of_csv_text(answer.content)


def of_csv_text(body: bytes) -> Answered:
    """The result of CSV to /predict or of a batch prediction."""
    return of_columns(list(csv.DictReader(io.StringIO(body.decode(), newline=""))))


def of_columns(rows: Sequence[Mapping[str, Any]]) -> Answered:
    """Rows of a table of answers."""
    found = []
    for row in rows:
        numbers = [row[name] for name in row if name.startswith(("probability_", "value"))]
        marks = {kind: _names(row.get(kind) or "") for kind in KINDS}
        found.append(Prediction(_text(row.get("label")), tuple(map(_single, numbers)), _there(marks)))
    return Answered(found)


def of_floats(answer: httpx.Response, width: int) -> Answer:
    """Raw float32, which say neither labels nor marks."""
    if answer.status_code != 200:
        return refusal(answer)
    rows = np.frombuffer(answer.content, "<f4").reshape(-1, width)
    return Answered([Prediction(None, tuple(map(float, row)), {}) for row in rows])


def of_tensors(tensors: Mapping[str, Any], parameters: Mapping[str, str]) -> Answered:
    """Outputs of the inference protocol, by name, and the parameters of the answer."""
    numbers = np.asarray(tensors["probabilities" if "probabilities" in tensors else "value"], np.float64)
    labels = (
        [None] * len(numbers) if "label" not in tensors else list(np.asarray(tensors["label"]).reshape(-1).tolist())
    )
    marks = {kind: json.loads(parameters.get(kind, "{}")) for kind in KINDS}
    return Answered(
        [
            Prediction(
                _text(label),
                tuple(map(_single, row)),
                _there({kind: frozenset(marks[kind].get(str(place), ())) for kind in KINDS}),
            )
            for place, (label, row) in enumerate(zip(labels, numbers.tolist(), strict=True))
        ]
    )


def refusal(answer: httpx.Response) -> Refused | Failed:
    """Which cells a problem names."""
    try:
        problem = answer.json()
    except ValueError:
        return Failed(f"{answer.status_code} {answer.text[:200]}")
    errors = problem.get("errors") or []
    places = {place for error in errors for place in _places(error["pointer"], error["detail"])}
    if not places or answer.status_code not in (400, 422):
        return Failed(f"{answer.status_code} {problem.get('detail')}")
    return Refused(frozenset(places), str(problem.get("detail")))


def refusal_in_words(message: str) -> Refused | Failed:
    """The cell that a failed batch prediction names."""
    places = _places("", message)
    return Refused(frozenset(places), message, all_named=False) if places else Failed(message)


def differ(one: Answer, other: Answer, *, bits: bool = True, marks: bool = True) -> str | None:
    """In what two answers to the same rows differ; None where they do not.

    Without `bits` logits and values may differ by a hundred-thousandth, as a file for other software may round.
    """
    if isinstance(one, Failed) or isinstance(other, Failed):
        return f"{_shown(one)}, and {_shown(other)}"
    if isinstance(one, Refused) or isinstance(other, Refused):
        if not (isinstance(one, Refused) and isinstance(other, Refused)):
            return f"{_shown(one)}, and {_shown(other)}"
        alike = one.places == other.places if one.all_named and other.all_named else one.places & other.places
        return None if alike else f"{_shown(one)}, and {_shown(other)}"
    if len(one.rows) != len(other.rows):
        return f"{len(one.rows)} rows, and {len(other.rows)}"
    for row, (a, b) in enumerate(zip(one.rows, other.rows, strict=True)):
        if None not in (a.label, b.label) and a.label != b.label and (bits or not _is_close(a, b)):
            return f"row {row}: {a.label!r} {a.numbers}, and {b.label!r} {b.numbers}"
        if (a.numbers != b.numbers) if bits else not _is_close(a, b):
            return f"row {row}: {a.label!r} {a.numbers}, and {b.label!r} {b.numbers}"
        if marks and a.marks != b.marks:
            return f"row {row}: marked {dict(a.marks)}, and {dict(b.marks)}"
    return None


def row_of(difference: str) -> int | None:
    """The row that a difference is about."""
    found = re.match(r"row (\d+)", difference)
    return int(found[1]) if found else None


def _is_close(a: Prediction, b: Prediction) -> bool:
    if len(a.numbers) != len(b.numbers):
        return False
    pairs = list(zip(a.numbers, b.numbers, strict=True))
    if a.label is None:  # values
        return all(abs(p - q) <= CLOSE * (1 + abs(p)) for p, q in pairs)
    return all(abs(p - q) <= EPSILON or abs(log(p / q)) <= CLOSE * (1 + abs(log(p))) for p, q in pairs if p and q) and (
        all(max(p, q) <= EPSILON for p, q in pairs if not (p and q))
    )


def _prediction(row: Mapping[str, Any]) -> Prediction:
    numbers = row["probabilities"].values() if "probabilities" in row else np.atleast_1d(row["value"])
    marks = {kind: frozenset(row.get(kind, ())) for kind in KINDS}
    label = row["label"] if "label" in row else row.get("labels")
    return Prediction(_text(label), tuple(map(_single, numbers)), _there(marks))


def _there(marks: Mapping[str, frozenset[str]]) -> Marks:
    return {kind: names for kind, names in marks.items() if names}


def _names(joined: str) -> frozenset[str]:
    return frozenset(joined.split(";")) if joined else frozenset()


def _single(number: object) -> float:
    return float(np.float32(str(number)))


def _text(label: object) -> str | None:
    if label is None:
        return None
    return str(label).lower() if isinstance(label, bool) else str(label)


def _places(pointer: str, detail: str) -> set[tuple[int, str]]:
    """The rows and fields that an error names, by its pointer or in its words."""
    found = re.match(r"/rows/(\d+)/(.+)", pointer, re.DOTALL)
    if found:
        return {(int(found[1]), found[2].replace("~1", "/").replace("~0", "~"))}
    return {(int(row), one or other) for row, one, other in CELL.findall(detail)}


def _shown(answer: Answer) -> str:
    if isinstance(answer, Answered):
        return f"answered {len(answer.rows)} rows"
    if isinstance(answer, Refused):
        return f"refused {sorted(answer.places)[:3]} ({answer.said[:160]})"
    return f"said {answer.said[:300]}"
