"""The commands that start the service, or look at what it would be started on; each ends with a line if it cannot."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from trainshed.cli.failure import MISUSED, fail

if TYPE_CHECKING:
    from worker.settings import Settings

PANEL = "The service"

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def demo() -> None:
    """Train a network on handwritten digits through the whole stack, then stop it."""
    _require_service("demo")
    from trainshed.demo import run

    _end_on_sigterm()
    with _fail_in_a_line():
        raise typer.Exit(run())


@app.command(rich_help_panel=PANEL)
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; TRAINSHED_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = None,
    workers: Annotated[int | None, typer.Option(help="API processes.", min=1)] = None,
) -> None:
    """Start Redis, a worker and the API, and keep them up until Ctrl-C."""
    _require_service("serve")
    from trainshed.stack import ChildDied, NotReady, Stack

    _end_on_sigterm()
    with _fail_in_a_line():
        settings = _read_settings()
        stack = Stack(
            settings.data_dir,
            host=settings.host if host is None else host,
            port=settings.port if port is None else port,
            environment={} if workers is None else {"TRAINSHED_API_PROCESSES": str(workers)},
        )
        try:
            with stack:
                print(f"API    {stack.url}/v1/jobs")
                print(f"docs   {stack.url}/docs")
                print(f"Redis  {stack.redis}")
                print(f"data   {stack.data_dir}")
                print(f"logs   {stack.logs}")
                print("Ctrl-C stops it.", flush=True)
                stack.watch()
        except KeyboardInterrupt:
            print("\nstopped")
        except (ChildDied, NotReady) as error:
            fail(str(error))


@app.command(rich_help_panel=PANEL)
def api(
    workers: Annotated[int | None, typer.Option(help="API processes.", min=1)] = None,
    listener: Annotated[int | None, typer.Option(hidden=True, help="File descriptor of a listening socket.")] = None,
) -> None:
    """Run the API alone; the settings come from the environment (TRAINSHED_…)."""
    _require_service("api")
    from worker.process.module_loading import gc_frozen

    with _fail_in_a_line():
        settings = _read_settings_for_work()
        _warn_of_redis(settings)
        with gc_frozen():
            from service.server import run_api
        chosen = settings if workers is None else settings.model_copy(update={"api_processes": workers})
        raise typer.Exit(run_api(chosen, None if listener is None else socket.socket(fileno=listener)))


@app.command(rich_help_panel=PANEL)
def worker() -> None:
    """Run a worker alone; the settings come from the environment (TRAINSHED_…)."""
    _require_service("worker")
    from worker.process.module_loading import gc_frozen

    with _fail_in_a_line():
        settings = _read_settings_for_work()
        _warn_of_redis(settings, end_for_good=True)
        with gc_frozen():
            from worker.process.parent import run_worker
        raise typer.Exit(run_worker(settings))


@app.command(rich_help_panel=PANEL)
def doctor() -> None:
    """Say what this machine offers and what is missing; exit 1 when something is broken."""
    _require_service("doctor")
    from trainshed.doctor import examine

    with _fail_in_a_line():
        raise typer.Exit(0 if examine(Console(), _read_settings()) else 1)


@app.command(rich_help_panel=PANEL)
def alive() -> None:
    """Exit 0 if a worker of this machine reported lately: a container's health check."""
    _require_service("alive")
    from worker.process.health_check import find_worker

    with _fail_in_a_line():
        worker = find_worker(_read_settings())
    if worker is None:
        fail(f"no worker on {socket.gethostname()} has reported lately")
    print(f"worker {worker.id} reported at {worker.seen_at:%H:%M:%S} UTC")


def _require_service(command: str) -> None:
    """End with one sentence where there is the client alone."""
    try:
        installed("trainshed")
    except PackageNotFoundError:
        fail(
            f"`trainshed {command}` needs the service, and only the client is installed "
            "here; `pip install .` in a checkout of trainshed installs both"
        )


def _warn_of_redis(settings: "Settings", *, end_for_good: bool = False) -> None:
    """Say at once what is wrong with Redis, before what takes longer is loaded.

    Without the address of one the command ends; also, if it is to, where no waiting helps. Else Redis may come later.
    """
    import structlog

    from worker.errors import BrokerUnavailable
    from worker.process.logs import configure_logs
    from worker.queue.broker import check_broker

    fault = check_broker(settings)
    if fault is not None and fault.permanent and end_for_good:
        raise BrokerUnavailable(str(fault))
    if fault is not None:
        configure_logs(settings.log_level, settings.log_format)
        structlog.get_logger("redis").warning("redis_unavailable", detail=str(fault))


def _read_settings() -> "Settings":
    from worker.settings import read_settings

    return read_settings()


def _read_settings_for_work() -> "Settings":
    """The settings of a process that works in the data folder, which is there then."""
    from worker.storage.data_dir import make_data_dir

    settings = _read_settings()
    make_data_dir(settings.data_dir)
    return settings


@contextmanager
def _fail_in_a_line() -> Iterator[None]:
    """What keeps a process from starting ends the command with a line for each thing, not with a traceback."""
    from service.listener import PortUnavailable
    from worker.errors import WorkerError
    from worker.settings_sources import InvalidSettings

    try:
        yield
    except InvalidSettings as error:
        fail(str(error), MISUSED)
    except (PortUnavailable, WorkerError) as error:
        fail(str(error))


def _end_on_sigterm() -> None:
    """SIGTERM unwinds the stack as Ctrl-C does, so that what was started is stopped."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
