"""How often each class occurs, over all rows and in every set."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.data.checks.finding import Finding, listed, percent
from engine.data.checks.parts import Parts
from engine.data.checks.target import Answers

LISTED = 100  # classes in a report
RARE = 0.2  # of the share that a class would have if all were equally frequent
FEW_ROWS = 10
DRIFT = 0.1  # a difference of shares between two sets that a random split does not make
CRITICAL = 4.0  # standard errors


class ClassShare(BaseModel):
    """A class, and its rows in every set."""

    model_config = ConfigDict(frozen=True)

    label: str
    share: float = Field(description="of all rows")
    rows: Mapping[str, int] = Field(description="per set")


class ClassBalance(BaseModel):
    """The classes by frequency, the most frequent first, a hundred at the most."""

    model_config = ConfigDict(frozen=True)

    count: int = Field(description="how many classes there are")
    always: float = Field(description="accuracy of always answering the most frequent class")
    classes: tuple[ClassShare, ...]


def class_balance(parts: Parts, answers: Answers) -> tuple[ClassBalance, list[Finding]]:
    """The balance, and what is odd about it."""
    counts = {}
    for name in parts.parts:
        numbers = answers.read(parts.sample(name, [answers.name]))
        counts[name] = np.bincount(numbers[~np.isnan(numbers)].astype(np.intp), minlength=len(answers.labels))
    total = np.sum(list(counts.values()), axis=0)
    order = np.argsort(-total, kind="stable")[:LISTED]
    shares = total / max(1, total.sum())
    balance = ClassBalance(
        count=len(answers.labels),
        always=float(shares.max()),
        classes=tuple(
            ClassShare(
                label=answers.labels[number],
                share=float(shares[number]),
                rows={name: int(count[number]) for name, count in counts.items()},
            )
            for number in order
        ),
    )
    return balance, list(_findings(answers, counts, shares))


def _findings(
    answers: Answers, counts: Mapping[str, NDArray[np.intp]], shares: NDArray[np.float64]
) -> Iterator[Finding]:
    rare = shares < RARE / len(shares)
    if np.any(rare):
        label, always = answers.labels[int(np.argmax(shares))], float(shares.max())
        names = [answers.labels[number] for number in np.argsort(shares, kind="stable") if rare[number]]
        yield Finding(
            check="class_balance",
            severity="warning",
            columns=(answers.name,),
            message=f"Classes are of unequal size: {listed(names)} {'have' if len(names) > 1 else 'has'} "
            f"{percent(float(shares[rare].max()))} of the rows or less; always answering {label!r} is right in "
            f"{percent(always)} of them.",
            advice='Watch f1 and auc instead of accuracy, or set {"loss": {"class_weights": "balanced"}}.',
        )
    few = [answers.labels[number] for number in np.flatnonzero((counts["train"] < FEW_ROWS) & (shares > 0))]
    if few:
        yield Finding(
            check="class_balance",
            severity="warning",
            columns=(answers.name,),
            message=f"{listed(few)} {'have' if len(few) > 1 else 'has'} fewer than {FEW_ROWS} rows in train.",
            advice="Collect more rows of such classes, or join them with others.",
        )
    for name in ("dev", "test"):
        if name in counts:
            yield from _differences(answers, counts["train"], counts[name], name)


def _differences(answers: Answers, train: NDArray[np.intp], other: NDArray[np.intp], name: str) -> Iterator[Finding]:
    if not train.sum() or not other.sum():
        return
    absent = [answers.labels[number] for number in np.flatnonzero((train > 0) & (other == 0))]
    if absent:
        yield Finding(
            check="class_balance",
            severity="info" if other.sum() < FEW_ROWS * len(train) else "warning",
            columns=(answers.name,),
            message=f"No row of {name} is of class {listed(absent)}; how well they are learned is not measured.",
            advice="Stratify the split, or hold out more rows.",
        )
    p, q = train / train.sum(), other / other.sum()
    worst = int(np.argmax(np.abs(p - q)))
    pooled = (train[worst] + other[worst]) / (train.sum() + other.sum())
    error = np.sqrt(pooled * (1 - pooled) * (1 / train.sum() + 1 / other.sum()))
    if abs(p[worst] - q[worst]) > max(DRIFT, CRITICAL * error):
        yield Finding(
            check="class_balance",
            severity="warning",
            columns=(answers.name,),
            message=f"Class {answers.labels[worst]!r} has {percent(float(p[worst]))} of the rows of train, but "
            f"{percent(float(q[worst]))} of those of {name}.",
            advice=f"Make sure that {name} is what the model will meet; if it is chance, stratify the split.",
        )
