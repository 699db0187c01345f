"""The exponentially weighted average, which makes the trend of a noisy cost curve visible."""

from collections.abc import Iterable, Iterator, Mapping

Row = Mapping[str, float | int | str | None]


class MovingAverage:
    """V_t/(1 − βᵗ) with V_t = βV_{t−1} + (1−β)θ_t; bias-corrected, so the first value is itself."""

    def __init__(self, beta: float = 0.9) -> None:
        self.beta = beta
        self._average = 0.0
        self._weight = 0.0  # 1 − βᵗ, kept so that missing values do not count as steps

    def add(self, value: float | None) -> float | None:
        """The average with one more value; a missing one gives None and moves nothing."""
        if value is None:
            return None
        self._average = self.beta * self._average + (1 - self.beta) * value
        self._weight = self.beta * self._weight + (1 - self.beta)
        return self._average / self._weight


def smoothed(values: Iterable[float | None], beta: float = 0.9) -> Iterator[float | None]:
    """The moving average of a series, value by value."""
    average = MovingAverage(beta)
    return map(average.add, values)


def with_smoothed_costs(rows: Iterable[Row], beta: float = 0.9) -> Iterator[dict[str, float | int | str | None]]:
    """Every row of a whole series with `…_cost_smoothed` beside each `…_cost`."""
    averages: dict[str, MovingAverage] = {}
    for row in rows:
        costs = {name: v for name, v in row.items() if name.endswith("_cost") and not isinstance(v, str)}
        trend = {f"{name}_smoothed": averages.setdefault(name, MovingAverage(beta)).add(v) for name, v in costs.items()}
        yield {**row, **trend}
