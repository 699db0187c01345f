"""JSON bodies on their way to a model: read and validated strictly, refused with a pointer to every fault.

What a route depends on is private ground of fastapi, tried with 0.165.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_wrap_validator_function

from engine import JobSpec
from service.http import strict_json
from service.http.problems import Fault, Part, RequestRefused, invalid
from service.http.validation_messages import described

Model = TypeVar("Model", bound=BaseModel)

MOST_ERRORS = 100  # that are put into words: to find what was meant by a name takes a fraction of a millisecond


class StrictJson:
    """Marks a body parameter: the model takes JSON as JSON means it (`true` is no integer)."""

    def __get_pydantic_core_schema__(self, model: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(document: object, _: object) -> BaseModel:
            return validated(model, document)

        return no_info_wrap_validator_function(validate, handler(model))


Strict = Annotated[Model, StrictJson()]
"""The type of a body parameter; a route takes no other."""


def read_json(body: bytes) -> object:
    """The document; raises `RequestRefused` for what is no JSON, and where FastAPI would let NaN or twins pass."""
    try:
        document, flaws = strict_json.read(body)
    except strict_json.Unreadable as error:
        raise RequestRefused(400, "malformed_json", "The body is not JSON", str(error)) from error
    if flaws:
        raise invalid([Fault(pointer=flaw.pointer, part="body", detail=flaw.detail) for flaw in flaws])
    return document


def validated(model: type[Model], document: object, part: Part = "body") -> Model:
    """The document as the model has it; raises `RequestRefused` with a pointer to every fault."""
    refuse_unless_json(document)
    try:
        return model.model_validate_json(strict_json.write(document), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        looked_at = described(found[:MOST_ERRORS], schema_of(model), document, of_spec=issubclass(model, JobSpec))
        faults = [Fault(pointer=where, part=part, detail=detail) for where, detail in looked_at]
        raise invalid(faults, more=len(found[MOST_ERRORS:])) from error


def refuse_unless_json(document: object) -> None:
    """FastAPI hands a body of another media type on as bytes."""
    if isinstance(document, bytes):
        raise RequestRefused(
            415,
            "unsupported_media_type",
            "The body has the wrong media type",
            "the body must be JSON; send it with Content-Type: application/json (curl does with --json in place of -d)",
        )


@cache
def schema_of(model: type[BaseModel]) -> Mapping[str, object]:
    """The model's JSON schema, made once."""
    return model.model_json_schema(by_alias=True)
