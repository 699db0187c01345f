"""How many rows to hold out: the course's advice by size, with its reason. It is reported, never forced."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

Shares = tuple[float, float, float]

ADVICE: tuple[tuple[int, Shares], ...] = (
    (10_000_000, (0.995, 0.0025, 0.0025)),
    (1_000_000, (0.98, 0.01, 0.01)),
    (10_000, (0.9, 0.05, 0.05)),
    (0, (0.6, 0.2, 0.2)),
)
"""From so many rows on, these shares of train, dev and test."""

TYPICAL_ERROR = 0.1  # for the sentence on how exactly a dev set measures


@dataclass(frozen=True)
class SplitAdvice:
    """What is advised for so many rows, what is done, and why the one or the other."""

    rows: int
    advised: Mapping[str, float]
    used: Mapping[str, float]
    followed: bool
    reason: str


def advised_shares(rows: int) -> Shares:
    """The shares of train, dev and test that the course advises for so many rows."""
    return next(shares for least, shares in ADVICE if rows >= least)


def advise(sizes: Mapping[str, int]) -> SplitAdvice:
    """The advice for all rows, beside the parts that a split has made of them."""
    rows = sum(sizes.values())
    advised = dict(zip(("train", "dev", "test"), advised_shares(rows), strict=True))
    used = {part: sizes.get(part, 0) / rows for part in advised}
    # With a handful of rows a part is a row off its share; nobody means that.
    followed = all(abs(used[part] - share) <= max(0.02 * share, 1.5 / rows) for part, share in advised.items())
    return SplitAdvice(rows, advised, used, followed, _reason(rows, advised, sizes, followed=followed))


def _reason(rows: int, advised: Mapping[str, float], sizes: Mapping[str, int], *, followed: bool) -> str:
    shares = "/".join(f"{100 * share:g}" for share in advised.values())
    because = (
        "with fewer than 10 000 rows, dev and test need a fifth each to measure anything"
        if rows < 10_000
        else f"of {rows:,} rows a small share measures well enough, and train makes better use of the rest".replace(
            ",", " "
        )
    )
    dev = sizes.get("dev", 0)
    if not dev:
        now = "there is no dev set: variance cannot be told from bias, and nothing can stop the training early"
    else:
        spread = 100 * sqrt(TYPICAL_ERROR * (1 - TYPICAL_ERROR) / dev)
        now = f"{dev} dev rows measure an error of {100 * TYPICAL_ERROR:g} % to ± {spread:.2g} points"
    verdict = "as it is" if followed else "the split stays as it was asked for"
    return f"{shares} is advised, {verdict}: {because}; {now}."
