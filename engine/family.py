"""A family: components that may stand in one another's place, told apart by their `type`.

A member whose fields have defaults may be written by its name alone: `"adam"` for `{"type": "adam"}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LONG = "long"


@dataclass(frozen=True)
class Family:
    """Marks a union of components as a family, as in `Annotated[Adam | Momentum, Family()]`.

    The JSON Schema describes the objects alone.
    """

    def short_forms(self, handler: GetCoreSchemaHandler) -> Mapping[type, CoreSchema]:
        """What may stand for an object: by the type of the value, the schema that makes the object of it."""
        named = core_schema.no_info_plain_validator_function(lambda name: {"type": name})
        return {str: core_schema.chain_schema([core_schema.str_schema(), named])}

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        long = handler(Annotated[source, Field(discriminator="type")])
        short = self.short_forms(handler)
        # Objects go on as they came: what has been a Python value is no JSON any more, and a strict tuple no array.
        choices = {kind.__name__: core_schema.chain_schema([form, long]) for kind, form in short.items()}

        def form_of(value: object) -> str:
            return next((kind.__name__ for kind in short if isinstance(value, kind)), LONG)

        return core_schema.tagged_union_schema({**choices, LONG: long}, discriminator=form_of)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema["choices"][LONG])
