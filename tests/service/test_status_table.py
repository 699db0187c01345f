"""Every error of the packages behind the service has a family, a status, and a row in the documentation."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import engine.errors
import worker.errors
from service.http.problems import STATUS

DOCUMENTED = Path(__file__).parents[2] / "docs/jobs.md"
ROW = re.compile(r"^\| (\d{3}) \| [^|]+ \| ([^|]*) \|$", re.MULTILINE)


FAMILIES = {"EngineError", "WorkerError", "NotFound", "Conflict", "Invalid", "Unavailable", "StoreError"}


def concrete(module: ModuleType) -> Iterator[type[Exception]]:
    """The errors that are raised."""
    for name, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, Exception) and kind.__module__ == module.__name__ and name not in FAMILIES:
            yield kind


def status_by_family(kind: type[Exception]) -> int | None:
    return next((STATUS[each] for each in kind.__mro__ if each in STATUS), None)


def documented() -> dict[str, int]:
    """The status of every code, as the documentation has it."""
    table = DOCUMENTED.read_text("utf-8").partition("## Errors")[2]
    return {code: int(status) for status, codes in ROW.findall(table) for code in re.findall(r"`(\w+)`", codes)}


def tree() -> dict[str, str]:
    """The family of every error, as the tree in `worker.errors` has it."""
    families: dict[str, str] = {}
    path = ["WorkerError"]
    for branch, names in re.findall(r"^([│ ]*)[├└]── (.+)$", worker.errors.__doc__ or "", re.MULTILINE):
        depth = len(branch) // 4 + 1
        path = path[:depth]
        families |= dict.fromkeys(names.split(", "), path[-1])
        path.append(names)
    return families


ERRORS = [*concrete(engine.errors), *concrete(worker.errors)]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_family_with_a_status_and_is_documented(kind: type[Exception]) -> None:
    status = status_by_family(kind)
    assert status is not None and 400 <= status < 600, (
        f"{kind.__qualname__} has no family in service.http.problems.STATUS"
    )
    assert documented().get(kind.code) == status  # type: ignore[attr-defined]  # every one has a code


def test_the_tree_is_that_of_the_classes() -> None:
    kinds = [kind for _, kind in inspect.getmembers(worker.errors, inspect.isclass) if issubclass(kind, Exception)]
    assert tree() == {
        kind.__name__: kind.__bases__[0].__name__ for kind in kinds if kind is not worker.errors.WorkerError
    }


def test_no_code_is_documented_that_no_error_has() -> None:
    assert set(documented()) == {kind.code for kind in ERRORS}  # type: ignore[attr-defined]


def test_codes_are_told_apart() -> None:
    assert len({kind.code for kind in ERRORS}) == len(ERRORS)  # type: ignore[attr-defined]
