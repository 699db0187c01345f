"""A page of a list."""

from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from worker.domain.paging import Page

Entry = TypeVar("Entry", bound=BaseModel)


class Listing(BaseModel, Generic[Entry]):
    """A page of a list."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """What clients call it: JobList, DatasetList."""
        return f"{params[0].__name__.removesuffix('View')}List"

    data: list[Entry]
    has_more: bool = Field(description="there are more: ask again with `after` = the key of the last entry")

    @classmethod
    def of(cls, page: Page[object]) -> Self:
        """The views of a page's records."""
        return cls.model_validate(page)
