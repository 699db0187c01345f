"""A service that really listens."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.app import create_app
from service.server import Server, make_server
from service.slow_clients import Patience
from worker.settings import Settings
from worker.yard import Yard


@dataclass(frozen=True)
class Running:
    server: Server
    thread: threading.Thread
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@contextmanager
def served(yard: Yard, settings: Settings, patience: Patience) -> Iterator[Running]:
    """The service in a thread until the block ends."""
    server = make_server(create_app(yard, settings), settings, patience)
    thread = threading.Thread(target=server.run, name="service")
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the service did not start"
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield Running(server, thread, host, port)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive(), "the service did not stop"
