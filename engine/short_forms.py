"""Where a place of a spec stands in the document that it was written as, which may have short forms in its stead."""

from collections.abc import Sequence

from engine.json_pointer import pointer, tokens_of
from engine.layer_list import entry_of


def reachable(document: object, tokens: Sequence[str]) -> tuple[str, ...]:
    """The keys and indices up to the first value that holds no others: `"adam"` has no `learning_rate` to point to."""
    for length, token in enumerate(tokens):
        if isinstance(document, dict):
            document = document.get(token, {})
        elif isinstance(document, list):
            document = document[int(token)] if token.isdecimal() and int(token) < len(document) else {}
        else:
            return tuple(tokens[:length])
    return tuple(tokens)


def pointer_as_written(document: object, text: str) -> str:
    """The JSON pointer into the document, for one into the valid spec that was made of it."""
    tokens = tokens_of(text)
    layers = document.get("layers") if isinstance(document, dict) else None
    if tokens[:1] == ("layers",) and tokens[1:] and isinstance(layers, list):
        tokens = ("layers", str(entry_of(layers, int(tokens[1]))), *tokens[2:])
    return pointer(reachable(document, tokens))
