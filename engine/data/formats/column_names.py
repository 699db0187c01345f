"""The names of columns: what may be one."""

from collections.abc import Sequence

from engine.data.reading.cell_values import shown
from engine.errors import DataError

MAX_NAME = 200  # characters; questions of a survey are names, too


INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))  # spaces of no width, soft hyphens


def cleaned(name: str) -> str:
    """The name with white space of any kind, also line breaks, made one space, and without what takes no space."""
    return " ".join(name.translate(INVISIBLE).split())


def check_names(names: Sequence[str]) -> None:
    """DataError for a column without a name, with one that cannot be shown, or with another's."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"column {place} has no name; give every column one in the header")
        if len(name) > MAX_NAME:
            raise DataError(
                f"column {place} is named {shown(name)}, {len(name)} characters; a name has at most {MAX_NAME}"
            )
        if not name.isprintable():
            odd = next(letter for letter in name if not letter.isprintable())
            raise DataError(
                f"column {place} is named {shown(name)}; a name has printable characters only, and {odd!a} is none"
            )
        if name in seen:
            raise DataError(
                f"two columns are named {shown(name)}, {seen[name]} and {place}; give every column a name of its own"
            )
        seen[name] = place
