"""The course's table of splits by size, told with its reason and never forced."""

import pytest

from engine.data.split_advice import advise, advised_shares


@pytest.mark.parametrize(
    ("rows", "shares"),
    [
        (1, (0.6, 0.2, 0.2)),
        (9_999, (0.6, 0.2, 0.2)),
        (10_000, (0.9, 0.05, 0.05)),
        (999_999, (0.9, 0.05, 0.05)),
        (1_000_000, (0.98, 0.01, 0.01)),
        (9_999_999, (0.98, 0.01, 0.01)),
        (10_000_000, (0.995, 0.0025, 0.0025)),
    ],
)
def test_the_advice_goes_by_the_number_of_rows(rows, shares):
    assert advised_shares(rows) == shares
    assert sum(shares) == pytest.approx(1)


def test_a_split_that_does_otherwise_is_told_so_and_stays():
    advice = advise({"train": 60_000, "dev": 20_000, "test": 20_000})
    assert not advice.followed
    assert advice.used == {"train": 0.6, "dev": 0.2, "test": 0.2}
    assert "90/5/5 is advised, the split stays as it was asked for" in advice.reason
    assert "± 0.21 points" in advice.reason  # √(0.1 · 0.9 / 20 000) = 0.00212


def test_a_row_more_or_less_follows_the_advice():
    assert advise({"train": 1079, "dev": 359, "test": 359}).followed
    assert advise({"train": 6, "dev": 2, "test": 2}).followed


def test_without_a_dev_set_the_reason_says_what_is_lost():
    advice = advise({"train": 100, "test": 20})
    assert not advice.followed and "no dev set" in advice.reason
