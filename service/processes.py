"""Several API processes on one port, which share the listening socket and nothing else but the store."""

import multiprocessing
import signal
import socket
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from os import environ
from threading import Event
from types import FrameType

import structlog

log = structlog.get_logger("service")

Serve = Callable[[socket.socket], int]
"""Serves on the socket until SIGTERM; returns the exit code."""


def run_processes(count: int, listener: socket.socket, serve: Serve, grace: float) -> int:
    """Serve on the socket with so many processes until SIGINT or SIGTERM; returns the exit code.

    If one of them ends by itself the others are stopped: whoever watches this process starts all of them again.
    """
    stopping = Event()

    def stop(sig: int, frame: FrameType | None) -> None:
        stopping.set()

    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, stop)
    context = multiprocessing.get_context("spawn")  # forked, it would take threads and connections along half
    environ["PYTHONSAFEPATH"] = "1"  # they start as `python -c`, which looks into the current folder first
    processes: list[BaseProcess] = [
        context.Process(target=_run, args=(serve, listener), name=f"api-{number}") for number in range(count)
    ]
    for process in processes:
        process.start()
    while not stopping.is_set():
        if wait([process.sentinel for process in processes], timeout=0.2):
            break
    unasked = not stopping.is_set()
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(grace)
        if process.is_alive():
            process.kill()
            process.join()
    if unasked:
        log.error("api_process_ended", exit_codes=[process.exitcode for process in processes])
    return 1 if unasked else max(abs(process.exitcode or 0) for process in processes)


def _run(serve: Serve, listener: socket.socket) -> None:
    raise SystemExit(serve(listener))
