"""What the repository index lists: every version of every registered model, page by page."""

from collections.abc import Iterator

from worker.workspace import Workspace


def names(backend: Workspace) -> Iterator[str]:
    """All models by name."""
    after: str | None = None
    while True:
        page = backend.models.page(limit=backend.settings.max_page, after=after)
        yield from (model.name for model in page.data)
        if not page.has_more:
            return
        after = page.data[-1].name


def versions(backend: Workspace, name: str) -> Iterator[int]:
    """A model's versions, newest first; raises UnknownModel."""
    after: int | None = None
    while True:
        page = backend.models.versions(name, limit=backend.settings.max_page, after=after)
        yield from (version.version for version in page.data)
        if not page.has_more:
            return
        after = page.data[-1].version
