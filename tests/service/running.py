"""A service that really listens."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.app import create_app
from service.http.authentication import Authenticator
from service.http.client_timeouts import Patience
from service.server import Server, make_server
from tests.until import CEILING, until
from worker.backend import Backend
from worker.settings import Settings


@dataclass(frozen=True)
class Running:
    server: Server
    thread: threading.Thread
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def await_watchers(self, number: int) -> None:
        """Return once so many wait for a job."""
        until(lambda: self.server.app.state.watchers.count >= number)


@contextmanager
def served(
    backend: Backend, settings: Settings, patience: Patience, authenticator: Authenticator | None = None
) -> Iterator[Running]:
    """The service in a thread until the block ends."""
    server = make_server(create_app(backend, settings, authenticator), settings, patience)
    thread = threading.Thread(target=server.run, name="service")
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        assert thread.is_alive(), "the service did not start"
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield Running(server, thread, host, port)
    finally:
        server.should_exit = True
        thread.join(timeout=CEILING)
        assert not thread.is_alive(), "the service did not stop"
