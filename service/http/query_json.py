"""JSON in a query parameter, read and validated as strictly as a body."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from pydantic import BaseModel

from engine import SpecError
from service.http import strict_json
from service.http.problems import Fault, faults_of, invalid
from service.http.request_bodies import validated
from worker.errors import UnknownDataset

Model = TypeVar("Model", bound=BaseModel)


def read_query(model: type[Model], name: str, text: str) -> Model:
    """The model whose one field is named like the parameter; `RequestRefused` points into the parameter."""
    try:
        value, flaws = strict_json.read(text.encode("utf-8", "surrogatepass"))
    except strict_json.Unreadable as error:
        raise invalid([Fault(pointer=f"/{name}", part="query", detail=str(error).removeprefix("the body "))]) from error
    if flaws:
        raise invalid([Fault(pointer=f"/{name}{flaw.pointer}", part="query", detail=flaw.detail) for flaw in flaws])
    return validated(model, {name: value}, "query")


@contextmanager
def asked_in_query() -> Iterator[None]:
    """Inside the block, what an error says of a field of a spec's data is said of the query parameter."""
    try:
        yield
    except (SpecError, UnknownDataset) as error:
        if not error.pointer:
            raise
        faults = [
            fault.model_copy(update={"pointer": fault.pointer.removeprefix("/data"), "part": "query"})
            for fault in faults_of(error)
        ]
        raise invalid(faults) from error
