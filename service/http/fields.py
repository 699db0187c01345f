"""`?fields=id,state,result.test.accuracy`: of an answer only the fields that are asked for.

The answer is made as always, and the rest of it left out; of an answer in CSV the fields are the columns.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import BaseModel
from pydantic_core import from_json, to_json
from starlette.responses import Response

from service.http.json_pointers import branches, mapping
from service.http.listing import Listing
from service.http.problems import Fault, invalid
from service.http.validation_messages import unknown

View = TypeVar("View", bound=BaseModel)
Path = tuple[str, ...]
Schema = Mapping[str, object]


@dataclass(frozen=True)
class Selection:
    """Fields by their dotted paths; none: all of them."""

    paths: tuple[Path, ...] = ()

    def answer(self, view: View) -> View | Response:
        """The view itself, or JSON with the selected fields of it; of a list, with those of every entry."""
        if not self.paths:
            return view
        return Response(self.select(view), media_type="application/json")

    def select(self, view: BaseModel) -> bytes:
        """The view as JSON, with the selected fields of it; of a list, with those of every entry."""
        document = from_json(view.model_dump_json())
        if isinstance(view, Listing):
            return self.select_entries(document)
        return to_json(selected(document, self.tree()))

    def select_entries(self, document: dict[str, Any]) -> bytes:
        """A list as JSON, with the selected fields of every entry."""
        tree = self.tree()
        return to_json({**document, "data": [selected(entry, tree) for entry in document["data"]]})

    def tree(self) -> dict[str, Any]:
        """The paths as nested names; what is selected as a whole has none inside."""
        tree: dict[str, Any] = {}
        for *way, last in self.paths:
            inner = tree
            for name in way:
                if inner.get(name) == {}:
                    break  # selected as a whole
                inner = inner.setdefault(name, {})
            else:
                inner[last] = {}
        return tree


def selected(value: Any, tree: Mapping[str, Any]) -> Any:
    """The parts of a document that a tree of names selects; of a list, those of every entry."""
    if isinstance(value, list) and tree:
        return [selected(entry, tree) for entry in value]
    if isinstance(value, dict) and tree:
        return {name: selected(value[name], inner) for name, inner in tree.items() if name in value}
    return value


Fields = Annotated[
    str | None,
    Query(
        max_length=4096,
        description="only these fields, comma-separated; a dot leads into an object or every entry of a list",
        examples=["id,state,result.test.accuracy"],
    ),
]
"""The query parameter."""


def fields_reader(view: type[BaseModel], **inside: type[BaseModel]) -> Callable[[str | None], Selection]:
    """What reads the parameter as fields of the view or of every entry of a list of it.

    `inside` names the models of fields that the view passes on as they are stored; in those that it does not name any
    field may be asked for.
    """

    @lru_cache(maxsize=256)  # most clients ask the same all the time
    def read(fields: str | None) -> Selection:
        return Selection() if fields is None else parsed(fields, view, inside)

    return read


def fields_of(
    view: type[BaseModel], **inside: type[BaseModel]
) -> Callable[[str | None], Coroutine[Any, Any, Selection]]:
    """The same as a dependency."""
    read_fields = fields_reader(view, **inside)

    async def read(fields: Fields = None) -> Selection:
        return read_fields(fields)

    return read


def paths_of(*fields: str) -> tuple[Path, ...]:
    """Dotted paths, taken apart."""
    return tuple(tuple(field.strip().split(".")) for field in fields)


def parsed(fields: str, view: type[BaseModel], inside: Mapping[str, type[BaseModel]]) -> Selection:
    """The selection that the text means; raises `RequestRefused` for fields that the view does not have."""
    paths = tuple(dict.fromkeys(paths_of(*fields.split(","))))
    found = (why for path in paths if (why := fault_of(path, view, inside)))
    faults = [Fault(pointer="/fields", part="query", detail=why) for why in found]
    if faults:
        raise invalid(faults)
    return Selection(paths)


def fault_of(path: Path, view: type[BaseModel], inside: Mapping[str, type[BaseModel]]) -> str | None:
    """What is wrong with a path, if anything is."""
    root = answer_schema(view)
    schemas = tuple(branches(root, root))
    for place, name in enumerate(path):
        objects = [schema for found in schemas for schema in members(root, found)]
        known = {field for schema in objects for field in mapping(schema.get("properties"))}
        behind = ".".join(path[:place])
        if not objects:
            return f"{behind!a} has no fields, so there is no {'.'.join(path)!a}"
        if not known:
            return None  # an object that may hold anything
        if name not in known:
            return unknown(f"field of {behind}" if behind else "field", name, sorted(known))
        if place == 0 and name in inside:
            root = answer_schema(inside[name])
            schemas = tuple(branches(root, root))
        else:
            schemas = tuple(inner for schema in objects for inner in property_of(root, schema, name))
    return None


@cache
def answer_schema(model: type[BaseModel]) -> Schema:
    """The JSON schema of what a model is answered as, made once."""
    return model.model_json_schema(mode="serialization")


def members(root: Schema, schema: Schema) -> Iterator[Schema]:
    """The objects that a schema allows, those in lists and the members of a tagged union among them."""
    if "items" in schema:
        for inner in branches(root, mapping(schema["items"])):
            yield from members(root, inner)
    elif "discriminator" in schema:
        for reference in mapping(mapping(schema["discriminator"]).get("mapping")).values():
            for inner in branches(root, {"$ref": reference}):
                yield from members(root, inner)
    elif "properties" in schema or schema.get("type") == "object":
        yield schema


def property_of(root: Schema, schema: Schema, name: str) -> Iterator[Schema]:
    """The schemas of a field, where there is such a field."""
    found = mapping(schema.get("properties")).get(name)
    if found is not None:
        yield from branches(root, mapping(found))
