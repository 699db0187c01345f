"""No error of the packages behind the service is left without a status."""

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

import engine.errors
import worker.errors
from service.http.problems import STATUS


def leaves(module: ModuleType) -> Iterator[type[Exception]]:
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, Exception) and kind.__module__ == module.__name__ and not kind.__subclasses__():
            yield kind


@pytest.mark.parametrize("kind", [*leaves(engine.errors), *leaves(worker.errors)], ids=lambda kind: kind.__name__)
def test_every_error_has_a_row_of_its_own(kind: type[Exception]) -> None:
    assert kind in STATUS, f"{kind.__qualname__} needs a row in service.http.problems.STATUS"
    assert 400 <= STATUS[kind] < 600


def test_codes_are_told_apart() -> None:
    kinds = [*leaves(engine.errors), *leaves(worker.errors)]
    assert len({kind.code for kind in kinds}) == len(kinds)  # type: ignore[attr-defined]  # every leaf has one
