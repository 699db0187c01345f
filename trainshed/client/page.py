"""A page of a list."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class Page(list[T]):
    """A list of what is there, which knows whether there is more behind it."""

    def __init__(self, items: Iterable[T], has_more: bool) -> None:
        super().__init__(items)
        self.has_more = has_more
