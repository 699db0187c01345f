"""A list of layers, and its short form: `[64, "tanh", 32]` is dense 64, tanh, dense 32, relu."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from engine.activations import Activation, ReLU
from engine.layer import Layer
from engine.layers import AnyLayer, BatchNorm, Dense, Units

MOST_LAYERS = 1000  # written in a few letters each, more of them take long to make


class LayerList:
    """Marks a list of layers in which a number of units stands for a dense layer with its activation.

    The activation is the one that follows before the next dense layer; where none does, ReLU: behind batch norm,
    before dropout. A dense layer written as an object stays as it is. The JSON Schema describes the objects alone.
    """

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        forms = {"units": handler.generate_schema(Units), "layer": handler.generate_schema(AnyLayer)}
        entry = core_schema.tagged_union_schema(forms, discriminator=_form_of)
        entries = core_schema.tuple_schema([entry], variadic_item_index=0, max_length=MOST_LAYERS)
        return core_schema.no_info_after_validator_function(_layers, entries)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        layer = schema["schema"]["items_schema"][0]["choices"]["layer"]
        return handler(core_schema.tuple_schema([layer], variadic_item_index=0, max_length=MOST_LAYERS))


Layers: TypeAlias = Annotated[tuple[AnyLayer, ...], LayerList()]


def stacked(entries: Sequence[int | Layer]) -> Iterator[tuple[int, Layer]]:
    """The layers that the entries stand for, each with the index of its entry."""
    bare: int | None = None  # the entry whose ReLU is still to come
    for index, entry in enumerate(entries):
        if bare is not None and not isinstance(entry, BatchNorm):
            yield bare, ReLU()
            bare = None
        if isinstance(entry, Layer):
            yield index, entry
        else:
            yield index, Dense(units=entry)
            bare = None if _activated(entries, index) else index
    if bare is not None:
        yield bare, ReLU()


def entry_of(written: Sequence[object], place: int) -> int:
    """The index of the entry, in a valid list as it was written, that the layer at this place comes from."""
    entries = TypeAdapter(tuple[Units | AnyLayer, ...]).validate_python(written)
    return [index for index, _ in stacked(entries)][place]


def _layers(entries: Sequence[int | Layer]) -> tuple[Layer, ...]:
    layers = tuple(layer for _, layer in stacked(entries))
    if len(layers) > MOST_LAYERS:
        raise ValueError(f"stands for {len(layers)} layers, at most {MOST_LAYERS} are possible")
    return layers


def _form_of(entry: object) -> str:
    return "units" if isinstance(entry, int | float) and not isinstance(entry, bool) else "layer"


def _activated(entries: Sequence[int | Layer], index: int) -> bool:
    """Whether an activation follows before the next dense layer."""
    behind = (entries[place] for place in range(index + 1, len(entries)))
    own = takewhile(lambda entry: isinstance(entry, Layer) and not isinstance(entry, Dense), behind)
    return any(isinstance(entry, Activation) for entry in own)
