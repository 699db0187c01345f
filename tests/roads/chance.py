"""Chance that can be repeated."""

from random import Random


def chance(seed: int) -> Random:
    """The same draws for the same seed."""
    return Random(seed)  # noqa: S311 - of no secrets
