"""The backend, all of it or as whoever asks may see it."""

from fastapi import Request

from service.http.authentication import principal_of
from worker.backend import Backend
from worker.workspace import Workspace


def whole_backend_of(request: Request) -> Backend:
    """Everybody's: for what is asked of the service itself, such as its health."""
    backend: Backend = request.app.state.backend
    return backend


def backend_of(request: Request) -> Workspace:
    """That of the principal who asks."""
    return whole_backend_of(request).on_behalf_of(principal_of(request))
