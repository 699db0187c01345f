"""The backend as whoever asks may see it."""

from fastapi import Request

from worker.backend import Backend
from worker.domain.principals import LOCAL
from worker.workspace import Workspace


def backend_of(request: Request) -> Workspace:
    backend: Backend = request.app.state.backend
    return backend.on_behalf_of(LOCAL)
