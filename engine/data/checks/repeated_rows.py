"""Rows that occur more than once: within a set, and, worse, in two of them.

All rows are compared where reading them is cheap; else as many as a budget allows, in stretches, which finds
fewer. A row is its features and its target; a number is kept for each, never the row.
"""

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.data.checks.finding import Finding, percent
from engine.data.checks.parts import Parts
from engine.data.checks.row_hash import RowHash, Words

MOST_BYTES = 128 << 20  # of rows read
MOST_ROWS = 10_000_000  # of numbers kept: 80 MB
STRETCH = 4096  # rows
EXAMPLES = 5
MANY = 0.01
FEW = 5
COARSE = 0.5


class SameRow(BaseModel):
    """One row in two places; rows count from 0 in the table they were uploaded in."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    row: int
    train_dataset: str
    train_row: int


class Leak(BaseModel):
    """Rows of dev or test that are rows of train, too."""

    model_config = ConfigDict(frozen=True)

    part: str
    rows: int = Field(description="rows of the part whose features are those of a row of train")
    same_answer: int = Field(description="of these, the rows whose target is the same, too; all, without a target")
    share: float = Field(description="of the rows of the part that were compared")
    examples: tuple[SameRow, ...] = Field(description="the first few")


class RepeatedRows(BaseModel):
    """How many rows are not the first of their kind."""

    model_config = ConfigDict(frozen=True)

    compared: dict[str, int] = Field(description="rows per set; fewer than it has where the dataset is large")
    duplicates: int = Field(description="rows of train that repeat an earlier row of train, target and all")
    contradictions: int = Field(description="rows of train whose features occur there with another target, too")
    leaks: tuple[Leak, ...]


def repeated_rows(parts: Parts, features: Sequence[str], target: str | None) -> RepeatedRows:
    """Compare the rows of every part with those of train."""
    keys, answers, places = _hashed(parts, features, target)
    train, full = keys["train"], keys["train"] ^ answers["train"]
    order = np.argsort(train, kind="stable")
    ascending = train[order]
    distinct = len(np.unique(full))
    leaks = [
        _leak(parts, name, (ascending, order), (keys, answers, places)) for name in ("dev", "test") if name in keys
    ]
    return RepeatedRows(
        compared={name: len(rows) for name, rows in keys.items()},
        duplicates=len(train) - distinct,
        contradictions=_contradictions(ascending, answers["train"][order]),
        leaks=tuple(leak for leak in leaks if leak is not None),
    )


def about_repeated_rows(repeated: RepeatedRows, sizes: dict[str, int]) -> Iterator[Finding]:
    """Findings on leaks, then on duplicates and on contradictions."""
    train = max(1, repeated.compared["train"])
    some = "" if repeated.compared == sizes else f" (of {sum(repeated.compared.values())} rows compared)"
    coarse = repeated.duplicates / train > COARSE
    natural = " Most rows of train repeat each other as well: with so few different rows that is natural."
    for leak in repeated.leaks:
        yield Finding(
            check="leaked_rows",
            severity="serious" if leak.share > MANY and leak.rows >= FEW and not coarse else "warning",
            message=f"{leak.rows} rows of {leak.part} ({percent(leak.share)}) have the features of a row of "
            f"train{some}, as row {leak.examples[0].row} of {leak.examples[0].dataset} has those of row "
            f"{leak.examples[0].train_row}{_of(leak.examples[0])}: {leak.part} rewards remembering them."
            + (natural if coarse else ""),
            advice="Drop the copies before uploading, or keep them together: data.split.group_by names a column that "
            "is the same for them.",
        )
    if repeated.duplicates:
        yield Finding(
            check="duplicated_rows",
            severity="info" if repeated.duplicates / train < MANY else "warning",
            message=f"{repeated.duplicates} rows of train ({percent(repeated.duplicates / train)}) repeat an earlier "
            f"one{some}.",
            advice="Fine if they are separate observations; if they are copies, drop them.",
        )
    if repeated.contradictions:
        yield Finding(
            check="contradicting_rows",
            severity="info" if repeated.contradictions / train < MANY else "warning",
            message=f"{repeated.contradictions} rows of train ({percent(repeated.contradictions / train)}) have the "
            f"features of another row and a different target{some}: no model gets both right.",
            advice="Check the labels, or add the feature that tells such rows apart.",
        )


def _of(example: SameRow) -> str:
    return "" if example.train_dataset == example.dataset else f" of {example.train_dataset}"


Hashes = dict[str, Words]
Places = dict[str, NDArray[np.int64]]


def _hashed(parts: Parts, features: Sequence[str], target: str | None) -> tuple[Hashes, Hashes, Places]:
    """By part: a number for the features of each compared row, one for its target, and where it lies."""
    names = [*features, *([target] if target is not None else [])]
    tables = [source.table for source in parts.sources]
    row_bytes = sum(prod(tables[0].shapes[name]) * tables[0].columns[name].dtype.itemsize for name in names)
    total = sum(parts.sizes.values())
    fraction = min(1.0, MOST_BYTES / max(1, total * row_bytes), MOST_ROWS / max(1, total))
    by_feature = RowHash(tables, list(features))
    by_target = RowHash(tables, [target]) if target is not None else None
    keys: Hashes = {}
    answers: Hashes = {}
    hashed: dict[int, tuple[Words, Words, NDArray[np.int64]]] = {}
    places: Places = {}
    for name, part in parts.parts.items():
        found = []
        for number, rows in part.segments:
            if number not in hashed:
                hashed[number] = _walk(parts, number, names, fraction, (by_feature, by_target))
            key, answer, lies = hashed[number]
            here = np.searchsorted(lies, rows).clip(max=len(lies) - 1)
            here = here[lies[here] == rows]
            found.append((key[here], answer[here], lies[here] + (number << 40)))
        keys[name], answers[name], places[name] = (np.concatenate(pieces) for pieces in zip(*found, strict=True))
    return keys, answers, places


def _walk(
    parts: Parts, number: int, names: list[str], fraction: float, hashes: tuple[RowHash, RowHash | None]
) -> tuple[Words, Words, NDArray[np.int64]]:
    """The numbers of a table's rows in its order, or of stretches of it, and which rows these are."""
    table = parts.sources[number].table.select(names)
    stretches = [slice(0, table.rows)]
    if fraction < 1:
        starts = np.linspace(0, max(0, table.rows - STRETCH), max(1, round(fraction * table.rows / STRETCH)))
        stretches = [slice(int(start), int(start) + STRETCH) for start in starts]
    keys, answers, lies, last = [], [], [], 0
    for stretch in stretches:
        first = max(last, stretch.start)
        place = first
        for block in table.take(slice(first, stretch.stop)).blocks():
            keys.append(hashes[0].of(block))
            answers.append(np.zeros(block.rows, np.uint64) if hashes[1] is None else hashes[1].of(block))
            lies.append(np.arange(place, place + block.rows))
            place += block.rows
        last = place
    return np.concatenate(keys), np.concatenate(answers), np.concatenate(lies)


def _leak(
    parts: Parts,
    name: str,
    train: tuple[Words, NDArray[np.intp]],
    rows: tuple[Hashes, Hashes, Places],
) -> Leak | None:
    (ascending, order), (keys, answers, places) = train, rows
    if not len(ascending) or not len(keys[name]):
        return None
    where = np.searchsorted(ascending, keys[name]).clip(max=len(ascending) - 1)
    leaked = np.flatnonzero(ascending[where] == keys[name])
    if not leaked.size:
        return None
    full = np.unique(keys["train"] ^ answers["train"])
    same = np.isin(keys[name][leaked] ^ answers[name][leaked], full)
    twins = order[where[leaked[:EXAMPLES]]]
    examples = [
        SameRow(dataset=mine, row=row, train_dataset=theirs, train_row=train_row)
        for (mine, row), (theirs, train_row) in zip(
            _named(parts, places[name][leaked[:EXAMPLES]]), _named(parts, places["train"][twins]), strict=True
        )
    ]
    return Leak(
        part=name,
        rows=int(leaked.size),
        same_answer=int(np.count_nonzero(same)),
        share=float(leaked.size / len(keys[name])),
        examples=tuple(examples),
    )


def _named(parts: Parts, places: NDArray[np.int64]) -> list[tuple[str, int]]:
    return [(parts.sources[place >> 40].title, place & ((1 << 40) - 1)) for place in places.tolist()]


def _contradictions(ascending: Words, answers: Words) -> int:
    """Rows of equal features among which the target differs."""
    if not len(ascending):
        return 0
    starts = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))
    differs = np.maximum.reduceat(answers, starts) != np.minimum.reduceat(answers, starts)
    lengths = np.diff(np.append(starts, len(ascending)))
    return int(lengths[differs].sum())
