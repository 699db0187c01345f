"""Which version of a registered model this process answers with, and how that changes while requests come in.

A switch loads first and takes effect then, so no request waits for it or fails by it. A switch that another process
was asked for is seen within `look_seconds`; one that this process was asked for is in effect when it is answered.
"""

from collections.abc import Iterable
from threading import Event, Lock, Thread
from typing import NamedTuple

import structlog

from engine import Model
from service.predictions.model_cache import Predictors
from worker.domain.models import ModelVersion
from worker.errors import StorageFull, StoreUnavailable, UnknownAlias, UnknownModel, UnknownVersion, WorkerError
from worker.store.models import Reference
from worker.workspace import Workspace

MOST_ROUTES = 10_000  # names and references that are remembered


class Route(NamedTuple):
    """What a name and a reference mean now."""

    version: int
    sha256: str
    sampled: bool  # whether the features of requests are


class Served(NamedTuple):
    """The model that answers a request."""

    name: str
    version: int
    model: Model
    sampled: bool


class Serving:
    """The versions that this process answers with; thread-safe."""

    def __init__(self, backend: Workspace, predictors: Predictors, look_seconds: float = 1.0) -> None:
        self.predictors = predictors
        self._backend = backend
        self._look_seconds = look_seconds
        self._routes: dict[tuple[str, Reference], Route] = {}
        self._revisions: dict[str, int] = {}
        self._lock = Lock()  # held by whoever writes these two
        self._closed = Event()
        self._thread: Thread | None = None
        self._log = structlog.get_logger("serving")

    def known(self, name: str, reference: Reference) -> Served | None:
        """What answers, if this process knows it and has it in memory; waits for nothing, so the event loop may ask."""
        route = self._routes.get((name, reference))
        model = None if route is None else self.predictors.held(route.sha256)
        return None if route is None or model is None else Served(name, route.version, model, route.sampled)

    def served(self, name: str, reference: Reference) -> Served:
        """What answers, looked up and read from disk where it has to be.

        Raises UnknownModel, UnknownVersion, UnknownAlias, ArtifactDamaged.
        """
        if (known := self.known(name, reference)) is not None:
            return known
        while True:
            revision, route, model = self._loaded(name, reference)
            with self._lock:
                if self._backend.models.get(name).revision != revision:
                    continue  # it changed meanwhile, and perhaps what this reference means
                if len(self._routes) >= MOST_ROUTES:
                    self._routes.clear()
                    self._revisions.clear()
                self._routes[name, reference] = route
                self._revisions.setdefault(name, revision)
            self._watch()
            return Served(name, route.version, model, route.sampled)

    def warm(self, version: ModelVersion) -> Model:
        """Have the version in memory before it is asked for; raises ArtifactDamaged."""
        return self.predictors.get(version.sha256, lambda: self._backend.models.version_path(version))

    def refresh(self, name: str) -> None:
        """See what the name's references mean now, load it, and only then answer with it."""
        while True:
            references = [reference for known, reference in list(self._routes) if known == name]
            if not references:
                return
            routes: dict[Reference, Route] = {}
            seen: set[int | None] = set()
            for reference in references:
                try:
                    revision, routes[reference], _ = self._loaded(name, reference)
                    seen.add(revision)
                except (UnknownModel, UnknownVersion, UnknownAlias):
                    continue
            with self._lock:
                now = self._backend.models.revisions([name]).get(name)
                if not seen <= {now}:
                    continue  # it changed meanwhile
                for reference in references:
                    if reference in routes:
                        self._routes[name, reference] = routes[reference]
                    else:
                        self._routes.pop((name, reference), None)
                if now is not None:
                    self._revisions[name] = now
                return

    def changed(self, name: str) -> None:
        """`refresh` after a change that is stored already: what cannot be seen now is seen at the next look."""
        try:
            self.refresh(name)
        except WorkerError as error:
            self._log.warning("not_refreshed", model=name, error=str(error))

    def close(self) -> None:
        """Stop looking for changes."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(self._look_seconds + 1)

    def _loaded(self, name: str, reference: Reference) -> tuple[int, Route, Model]:
        """The model's revision, what the reference means at that revision, and the model, in memory."""
        registered = self._backend.models.get(name)
        number = registered.newest if reference is None else reference
        if isinstance(number, str):
            if number not in registered.aliases:
                raise UnknownAlias(name, number, registered.aliases)
            number = registered.aliases[number]
        version = self._backend.models.version(name, number)
        route = Route(version.version, version.sha256, registered.drift)
        return registered.revision, route, self.warm(version)

    def _watch(self) -> None:
        """Look for changes from now on; a process that serves no model does not."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = Thread(target=self._look, name="serving", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while not self._closed.wait(self._look_seconds):
            try:
                self._look_once(set(self._revisions))
            except (StoreUnavailable, StorageFull) as error:  # what is known is served on
                self._log.warning("look_failed", error=str(error))

    def _look_once(self, names: Iterable[str]) -> None:
        revisions = self._backend.models.revisions(names)
        for name in names:
            if revisions.get(name) != self._revisions.get(name):
                try:
                    self.refresh(name)
                except (StoreUnavailable, StorageFull):
                    raise
                except WorkerError as error:  # a damaged file: what was served before is served on
                    self._log.error("not_refreshed", model=name, error=str(error))
