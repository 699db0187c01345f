"""The backend's parameter sets: initial parameters that people bring along."""

from engine.foreign_weights import Origin
from worker.domain.paging import Page, Pages, page_after
from worker.domain.parameter_sets import ParameterSet
from worker.parameters.library import ParameterLibrary
from worker.settings import Settings
from worker.storage.uploads import Upload


class ParametersBackend:
    """What may be asked about uploaded parameters; thread-safe."""

    def __init__(self, settings: Settings, library: ParameterLibrary) -> None:
        self._pages = Pages(settings.max_page)
        self._library = library

    def add(self, name: str, media_type: str, upload: Upload, origin: Origin = "auto") -> tuple[ParameterSet, bool]:
        """Make a parameter set of an upload whose names are those of `origin`; raises what `add_dataset` raises."""
        return self._library.add(name, media_type, upload, origin)

    def find(self, reference: str) -> ParameterSet:
        """The parameter set with this id or name; raises UnknownParameters."""
        return self._library.find(reference)

    def page(self, *, limit: int = 20, after: str | None = None) -> Page[ParameterSet]:
        """Sets older than `after`, newest first."""
        return self._library.page(limit=self._pages.limit(limit), after=page_after("ps", after))
