"""Several API processes on one port, which share the listening socket and nothing else but the store.

uvicorn.supervisors.Multiprocess (of 0.54) does the like, and cannot be used: it builds a uvicorn.Server of its own, so
that no stream is let go at the end; kills a process that does not answer a ping within seconds, as a held or a busy one
does not; starts anew for ever what dies before it listens; waits without a limit for what does not end; and its
processes stay when it is killed.
"""

import signal
import socket
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from os import environ
from types import FrameType

import structlog

from worker.errors import WorkerError

log = structlog.get_logger("service")

Serve = Callable[[socket.socket, Callable[[], None]], int]
"""Serves on the socket until SIGTERM, and calls the function once it listens; returns the exit code."""

START_ATTEMPTS = 5
"""So often in a row a process may end without having listened: after that it is not started again."""

context = get_context("spawn")  # forked, a process would take threads and connections along half


class ApiProcess:
    """One of the processes, from its start; `attempt` counts the starts in its place since one has listened."""

    def __init__(self, serve: Serve, listener: socket.socket, attempt: int = 1) -> None:
        self.attempt = attempt
        self._listening, listens = context.Pipe(duplex=False)
        with listens:  # afterwards the process alone can write
            self.process = context.Process(target=_run, args=(serve, listener, listens))
            self.process.start()

    def has_listened(self) -> bool:
        """Whether the process, which has ended, had said that it listens."""
        try:
            return self._listening.poll() and bool(self._listening.recv_bytes())
        except EOFError:
            return False


def run_processes(count: int, listener: socket.socket, serve: Serve, grace: float) -> int:
    """Serve on the socket with so many processes until SIGINT or SIGTERM; returns the exit code.

    One that ends by itself is replaced. If it ends again and again before it listens all are stopped, with exit code 1:
    whoever watches this process starts all of them again.
    """
    environ["PYTHONSAFEPATH"] = "1"  # they start as `python -c`, which looks into the current folder first
    stopped, stop = context.Pipe(duplex=False)

    def handle(sig: int, frame: FrameType | None) -> None:
        stop.send_bytes(b"stop")

    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, handle)
    places: list[ApiProcess] = []
    try:
        for _ in range(count):
            places.append(ApiProcess(serve, listener))
        started = _replace_ended(places, stopped, serve, listener)
    finally:  # of all that happens here: what is not stopped would serve on with nobody to replace it
        exit_code = _stop(places, grace)
    return exit_code if started else 1


def _replace_ended(places: list[ApiProcess], stopped: Connection, serve: Serve, listener: socket.socket) -> bool:
    """Replace whichever ends until all are to be stopped; False if one cannot be started."""
    while True:
        ready = wait([stopped, *(place.process.sentinel for place in places)])
        if stopped in ready:
            return True
        for index, place in enumerate(places):
            if place.process.sentinel not in ready:
                continue
            place.process.join()
            attempt = 1 if place.has_listened() else place.attempt + 1
            fields = {"pid": place.process.pid, "exit_code": place.process.exitcode}
            if attempt > START_ATTEMPTS:
                log.error("api_process_cannot_start", attempts=START_ATTEMPTS, **fields)
                return False
            log.warning("api_process_replaced", **fields)
            places[index] = ApiProcess(serve, listener, attempt)


def _stop(places: list[ApiProcess], grace: float) -> int:
    """Have all of them end, by force those that take longer than `grace` seconds; returns the highest exit code."""
    for place in places:
        place.process.terminate()
    for place in places:
        place.process.join(grace)
        if place.process.is_alive():
            place.process.kill()
            place.process.join()
    # SIGTERM ends one that has not come to handling it: as well as the others, which return 0 then
    exit_codes = [place.process.exitcode or 0 for place in places]
    return max((abs(code) for code in exit_codes if code != -signal.SIGTERM), default=0)


def _run(serve: Serve, listener: socket.socket, listens: Connection) -> None:
    try:
        raise SystemExit(serve(listener, lambda: listens.send_bytes(b"listens")))
    except WorkerError as error:
        log.error("api_process_failed", detail=str(error))
        raise SystemExit(1) from None
