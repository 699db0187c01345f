"""The course's small networks on circles, football field and moons, followed to the accuracy that it printed."""

from engine import Finished
from tests.acceptance.long.runs import Advance, LongRun, Verdict
from tests.acceptance.published import PUBLISHED, Published


def follow(published: Published, advance: Advance) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for event in published.run(published.epochs):
        if isinstance(event, Finished):
            return verdicts + accuracies(published, event)
        advance()
        iteration, cost = int(event.row["epoch"] or 0) - 1, event.row["train_cost"]
        if iteration in published.costs and cost is not None:
            claim = f"cost {published.costs[iteration]!r} at {iteration}"
            verdicts.append(Verdict(claim, repr(cost), published.matches(iteration, cost)))
    raise AssertionError("the run ended without its last event")


def accuracies(published: Published, last: Finished) -> list[Verdict]:
    """Both sets' accuracies, to the example."""
    verdicts = []
    for part, expected in (("train", published.train), ("test", published.test)):
        report = last.result.get(part)
        if expected is not None and isinstance(report, dict):
            ours = report["accuracy"]
            verdicts.append(Verdict(f"{part} accuracy {expected:.6f}", f"{ours:.6f}", abs(ours - expected) < 1e-9))
    return verdicts


def long_run(published: Published) -> LongRun:
    return LongRun(published.name, published.epochs, lambda advance: follow(published, advance))


RUNS = [long_run(published) for published in PUBLISHED]
