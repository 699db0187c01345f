"""The published runs begin as printed; `python -m tests.acceptance` follows them to their ends."""

import pytest

from engine import EpochEnded
from tests.acceptance.published import PUBLISHED, Published

pytestmark = pytest.mark.shared_data
FIRST = 1001


@pytest.mark.parametrize("published", [p for p in PUBLISHED if p.costs], ids=lambda published: published.name)
def test_the_first_costs_are_those_printed(published: Published) -> None:
    printed = [iteration for iteration in published.costs if iteration < FIRST]
    assert 0 in printed
    for event in published.run(max(printed) + 1):
        if isinstance(event, EpochEnded) and (iteration := int(event.row["epoch"] or 0) - 1) in printed:
            cost = event.row["train_cost"]
            assert cost is not None and published.matches(iteration, cost), (iteration, cost)
