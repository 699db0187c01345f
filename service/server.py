"""The API process: uvicorn around the application, until a signal ends it."""

import multiprocessing
import signal
import socket
from collections.abc import Callable
from functools import partial
from threading import Thread
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.http.client_timeouts import Patience, patient
from service.listener import listen
from service.malloc import keep_large_blocks
from service.processes import run_processes
from worker.backend import open_backend
from worker.process.logs import configure_logs
from worker.settings import Settings
from worker.store import open_store

log = structlog.get_logger("service")

GRACE = 20  # seconds that running requests get when the service stops


class Server(uvicorn.Server):
    """A uvicorn that lets streams and long polls go before it waits for its connections.

    What it overrides is private ground of uvicorn, tried with 0.50 to 0.54.
    """

    def __init__(self, app: FastAPI, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self.app = app
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            log.info("listening", host=host, port=port)
            self._on_listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second SIGINT does not wait. The signal is not raised again, as uvicorn would: the backend is closed."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.app.state.watchers.close()
        await super().shutdown(sockets)


def make_server(
    app: FastAPI, settings: Settings, patience: Patience, on_listening: Callable[[], None] = lambda: None
) -> Server:
    """A server for the application, not yet started."""
    return Server(
        app,
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http=patient(patience),
            ws="none",
            lifespan="on",
            log_config=None,  # uvicorn's loggers write through ours
            access_log=False,
            server_header=False,
            proxy_headers=False,  # X-Forwarded-… are heeded by the application's own front
            timeout_keep_alive=5,
            timeout_graceful_shutdown=GRACE,
        ),
        on_listening,
    )


def run_api(settings: Settings, listener: socket.socket | None = None) -> int:
    """Serve until SIGINT or SIGTERM, in as many processes as the settings say; returns the exit code.

    On the listener, if whoever starts this one has made it, else on one for the settings' host and port. Raises
    PortUnavailable and StoreUnavailable before anything is started.
    """
    serve = partial(_serve, settings, Patience())
    with listener or listen(settings.host, settings.port) as listener:
        if settings.api_processes == 1:
            return serve(listener, lambda: None)
        configure_logs(settings.log_level, settings.log_format)
        open_store(settings).close()  # what is wrong is said once, not by each process
        return run_processes(settings.api_processes, listener, serve, GRACE + 5)


def _serve(settings: Settings, patience: Patience, listener: socket.socket, on_listening: Callable[[], None]) -> int:
    """One process, on a socket that it may share with others."""
    configure_logs(settings.log_level, settings.log_format)
    keep_large_blocks()
    with open_backend(settings) as backend:
        server = make_server(create_app(backend, settings), settings, patience, on_listening)
        _end_with_parent(server)
        server.run([listener])
        return 0 if server.started else 1


def _end_with_parent(server: Server) -> None:
    """One of several processes stops when the one that started it is gone, however that ended."""
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            server.should_exit = True

    Thread(target=follow, name="parent", daemon=True).start()
