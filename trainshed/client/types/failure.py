"""What went wrong: with work that was queued, and with a request."""

from typing import Literal, TypedDict


class Failure(TypedDict):
    """Why work failed."""

    code: str
    message: str
    param: str | None
    hint: str | None


Fault = TypedDict(
    "Fault", {"pointer": str, "in": Literal["body", "query", "path", "header"], "detail": str}
)  # not a class: `in` is a word of the language
"""One place in a request, by a JSON pointer into the part of it that `in` names, and what is wrong there."""
