"""The backend as whoever asks may see it."""

from fastapi import Request

from service.http.authentication import principal_of
from worker.backend import Backend
from worker.workspace import Workspace


def backend_of(request: Request) -> Workspace:
    backend: Backend = request.app.state.backend
    return backend.on_behalf_of(principal_of(request))
