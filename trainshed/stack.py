"""The whole of trainshed on one machine: Redis, a worker and the API, all of them gone when it closes."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx

from trainshed.child import Child, ChildDied
from trainshed.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.redis_address import RedisAddress

READY_SECONDS = 60.0  # a cold start on a busy laptop compiles every module first
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05


class NotReady(Exception):
    """The processes run, and the API did not report ready in time."""


class Stack:
    """A context manager: inside the block everything answers, after it no process, socket or file is left.

    Without `data_dir` the data live in a temporary folder that goes, too. `port` 0 takes a free one.
    `environment` is added to what the children inherit.
    Linux kills the children when the *thread* that entered the block ends, so enter it in one that stays.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        self.host = host
        self.port = port
        self.environment = dict(environment or {})
        self.ready_seconds = ready_seconds
        self._data_dir = data_dir
        self._exits = ExitStack()
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        from service.listener import listen
        from worker.queue.broker import open_broker
        from worker.queue.running_stack import refuse_other_stack
        from worker.settings import read_settings

        chosen = {
            name.removeprefix("TRAINSHED_").lower(): value
            for name, value in self.environment.items()
            if name.startswith("TRAINSHED_")
        }
        settings = read_settings(**chosen)
        with ExitStack() as exits:
            self.data_dir = exits.enter_context(_folder(self._data_dir))
            refuse_other_stack(self.data_dir)  # which has most probably the port, too
            listener = exits.enter_context(listen(self.host, self.port))
            self.port = listener.getsockname()[1]
            settings = settings.model_copy(update={"data_dir": self.data_dir})
            self.redis: RedisAddress = exits.enter_context(open_broker(settings, self.url))
            exits.callback(self._stop)
            self._start("worker")
            self._start("api", "--listener", str(listener.fileno()), inherited=[listener.fileno()])
            listener.close()  # from now on the port is the API's, and closed when that ends
            self._wait_until_ready()
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    @property
    def url(self) -> str:
        """Where the API listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.data_dir / "logs"

    @property
    def pids(self) -> dict[str, int]:
        """The processes that this stack started, by name."""
        return {child.name: child.process.pid for child in self._children}

    def client(self) -> Client:
        """A client of this stack; close it, or use it as a context manager."""
        return Client(self.url)

    def check(self) -> None:
        """Raise `ChildDied` unless every process is running."""
        for child in self._children:
            child.check()

    def watch(self) -> None:
        """Stay until a process ends by itself."""
        while True:
            self.check()
            sleep(0.5)

    def _start(self, role: str, *arguments: str, inherited: Sequence[int] = ()) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        where = {
            "TRAINSHED_DATA_DIR": str(self.data_dir),
            "TRAINSHED_HOST": self.host,
            "TRAINSHED_PORT": str(self.port),
        }
        child = Child.start(
            role,
            [sys.executable, "-P", "-m", "trainshed", role, *arguments],  # -P: the current folder may hold a worker.py
            log=self.logs / f"{role}.log",
            environment=os.environ | self.environment | where,
            inherited=inherited,
        )
        self._children.append(child)

    def _wait_until_ready(self) -> None:
        deadline = monotonic() + self.ready_seconds
        answer = "nothing"
        with httpx.Client(base_url=self.url, timeout=2.0, trust_env=False) as http:
            while monotonic() < deadline:
                self.check()
                try:
                    response = http.get("/health/ready")
                except httpx.TransportError as error:
                    answer = str(error)
                else:
                    if response.is_success:
                        return
                    answer = response.text
                sleep(POLL_SECONDS)
        tails = "\n".join(f"--- {child.name}\n{child.tail()}" for child in self._children)
        raise NotReady(
            f"{self.url}/health/ready was not 200 within {self.ready_seconds:g} s; it said: {answer}\n{tails}"
        )

    def _stop(self) -> None:
        """All are asked at once, so that the slowest decides how long it takes."""
        for child in self._children:
            child.ask_to_stop()
        deadline = monotonic() + STOP_SECONDS
        for child in self._children:
            child.stop(deadline)
        self._children.clear()


@contextmanager
def _folder(given: Path | None) -> "Iterator[Path]":
    if given is not None:
        from worker.storage.data_dir import make_data_dir

        make_data_dir(given)
        yield given.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="trainshed-"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


__all__ = ["ChildDied", "NotReady", "Stack"]
