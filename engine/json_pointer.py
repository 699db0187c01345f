"""JSON pointers (RFC 6901): where in a document something is, as one text."""

from collections.abc import Iterable


def pointer(tokens: Iterable[str | int]) -> str:
    """The pointer of these keys and indices: `~` and `/` inside a key are escaped."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def tokens_of(text: str) -> tuple[str, ...]:
    """The keys and indices of a pointer."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:])
