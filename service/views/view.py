"""A view: what the service answers of a record, read from the record's attributes.

A field that is called otherwise in the record, or lies deeper, names its place there as its `validation_alias`.
"""

from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from engine import JobSpec

Record = TypeVar("Record")

Object = Annotated[Any, WithJsonSchema({"type": "object", "additionalProperties": True})]
"""A JSON object, valid since it was stored: looking through it again would take longer than all the rest."""
SpecObject = Annotated[
    Any, WithJsonSchema({"type": "object", "additionalProperties": True, "x-model": JobSpec.__name__})
]
"""The same for one that is a whole spec: the OpenAPI document refers to that model."""


class View(BaseModel, Generic[Record]):
    """What is answered of a record of this type."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, record: Record) -> Self:
        """The view of a record; every field is an attribute of it."""
        return cls.model_validate(record)
