"""Pages of lists: how long one may be, and what may stand behind `after`."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.domain.ids import Prefix, is_id
from worker.errors import InvalidPage, UnknownJob

Entry = TypeVar("Entry", covariant=True)


@dataclass(frozen=True)
class Page(Generic[Entry]):
    """Some entries, and whether there are more behind them."""

    data: tuple[Entry, ...]
    has_more: bool


@dataclass(frozen=True)
class Pages:
    """The pages that an installation allows."""

    most: int

    def limit(self, limit: int) -> int:
        """The number of entries, if a page may have so many; raises InvalidPage."""
        if not 1 <= limit <= self.most:
            raise InvalidPage("limit", f"{limit} is not between 1 and {self.most}")
        return limit


def page_after(prefix: Prefix, entry: str | None) -> str | None:
    """The id that a page begins behind; raises InvalidPage for what is none."""
    if entry is not None and not is_id(prefix, entry):
        raise InvalidPage("after", f"{entry[:80]!a} is no id of an entry; it looks like {prefix}_0123…")
    return entry


def column_number(entry: int) -> int:
    """A number within what a column can be compared with: no entry has one outside."""
    return max(-1, min(entry, 2**31 - 1))


def known_job_id(text: str) -> str:
    """The id, if a job can have it; raises UnknownJob before the database is asked for one that none can have."""
    if not is_id("job", text):
        raise UnknownJob(text)
    return text
