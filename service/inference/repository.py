"""What the repository index lists: every version of every registered model, page by page."""

from collections.abc import Iterator

from worker.yard import Yard


def names(yard: Yard) -> Iterator[str]:
    """All models by name."""
    after: str | None = None
    while True:
        page = yard.models(limit=yard.settings.max_page, after=after)
        yield from (model.name for model in page.data)
        if not page.has_more:
            return
        after = page.data[-1].name


def versions(yard: Yard, name: str) -> Iterator[int]:
    """A model's versions, newest first; raises UnknownModel."""
    after: int | None = None
    while True:
        page = yard.model_versions(name, limit=yard.settings.max_page, after=after)
        yield from (version.version for version in page.data)
        if not page.has_more:
            return
        after = page.data[-1].version
