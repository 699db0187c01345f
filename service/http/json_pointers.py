"""Where in a JSON body an error lies, and what would have been allowed there.

Pydantic's locations mix real keys with the tags of unions (`layers, 0, dense, units`). Walking the model's
own JSON schema beside the location tells them apart, and gives the names that a typing slip may have meant.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A position in a document: keys and indices that lead to it, and the schemas of what may stand there."""

    tokens: tuple[str, ...]
    schemas: tuple[Mapping[str, object], ...]

    def fields(self) -> list[str]:
        """The names an object may have here."""
        return sorted({str(name) for schema in self.schemas for name in mapping(schema.get("properties"))})


def locate(root: Mapping[str, object], location: Sequence[str | int], document: object, last_is_key: bool) -> Place:
    """Follow a pydantic location through a JSON schema.

    `last_is_key` says that the last segment names a key although the schema has no such field.
    """
    tokens: list[str] = []
    schemas = tuple(branches(root, root))
    value = document
    for position, segment in enumerate(location):
        tagged, found = step(root, schemas, segment, value)
        is_last = position == len(location) - 1
        if tagged:
            schemas = found
        elif found or (is_last and last_is_key):
            tokens.append(str(segment))
            value = child(value, segment)
            # An unknown field keeps its object's schemas: they hold the names that were meant.
            schemas = found or schemas
    return Place(tuple(tokens), schemas)


def step(
    root: Mapping[str, object], schemas: Sequence[Mapping[str, object]], segment: str | int, value: object
) -> tuple[bool, tuple[Mapping[str, object], ...]]:
    """Whether the segment is a union's tag, and the schemas it leads to (none: it is a mere label)."""
    for schema in schemas:
        tags = mapping(mapping(schema.get("discriminator")).get("mapping"))
        if segment in tags:
            return True, tuple(branches(root, {"$ref": tags[str(segment)]}))
    for schema in schemas:
        properties = mapping(schema.get("properties"))
        if isinstance(segment, str) and segment in properties:
            return False, tuple(branches(root, mapping(properties[segment])))
        if isinstance(segment, int) and isinstance(value, list) and "items" in schema:
            return False, tuple(branches(root, mapping(schema["items"])))
        if isinstance(segment, str) and isinstance(value, dict) and segment in value:
            extra = schema.get("additionalProperties")
            if extra is True or isinstance(extra, dict):
                return False, tuple(branches(root, mapping(extra))) or ({},)
    if isinstance(segment, int) and isinstance(value, list):
        return False, ({},)  # an array that the schema does not go into, such as a short form
    return False, ()


def branches(root: Mapping[str, object], schema: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """A schema, its reference followed, and every alternative of a union that no tag tells apart."""
    while isinstance(reference := schema.get("$ref"), str):
        schema = mapping(mapping(root.get("$defs")).get(reference.rpartition("/")[2]))
    yield schema
    if "discriminator" in schema:
        return
    for keyword in ("anyOf", "oneOf", "allOf"):
        alternatives = schema.get(keyword)
        for alternative in alternatives if isinstance(alternatives, list) else ():
            yield from branches(root, mapping(alternative))


def child(value: object, segment: str | int) -> object:
    """The member of an object or array, or None where there is none."""
    if isinstance(value, dict):
        return value.get(segment)
    if isinstance(value, list) and isinstance(segment, int) and segment < len(value):
        return value[segment]
    return None


def mapping(value: object) -> Mapping[str, object]:
    """The value if it is an object, else an empty one: a schema may be `true`, or lack the keyword."""
    return value if isinstance(value, dict) else {}
