"""Views read records: a field that a record lacks, or has under another name, is found before a client finds it."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import AliasPath, BaseModel

import service.views
from service.views.view import View

COMPLETED = {("ProgressView", "epoch"), ("ProgressView", "epochs")}  # what the job says of its progress


def views() -> Iterator[tuple[type[BaseModel], Any]]:
    """Every view that is declared to be of a record, and that record, without what it is generic in."""
    for module in pkgutil.iter_modules(service.views.__path__):
        importlib.import_module(f"service.views.{module.name}")
    for of_record in View.__subclasses__():
        (record,) = of_record.__pydantic_generic_metadata__["args"]
        for view in of_record.__subclasses__():
            yield view, getattr(record, "__origin__", record)


def attributes(record: Any) -> set[str]:
    names = {field.name for field in dataclasses.fields(record)}
    return names | {name for name in dir(record) if isinstance(getattr(record, name), property)}


@pytest.mark.parametrize(("view", "record"), [*views()], ids=lambda kind: kind.__name__)
def test_a_record_has_whatever_its_view_reads(view: type[BaseModel], record: Any) -> None:
    has = attributes(record)
    for name, field in view.model_fields.items():
        alias = field.validation_alias
        read = alias.path[0] if isinstance(alias, AliasPath) else alias or name
        assert read in has or (view.__name__, name) in COMPLETED, f"{view.__name__}.{name} reads {read}"
