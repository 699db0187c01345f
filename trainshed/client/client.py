"""The client: one object with the nouns of the API, each with the verbs that it has."""

from types import TracebackType
from typing import Self

from trainshed.client.address import read_address
from trainshed.client.batches import Batches
from trainshed.client.connection import Connection
from trainshed.client.datasets import Datasets
from trainshed.client.errors import InvalidUrl, ProblemError, Unreachable
from trainshed.client.gradient_checks import GradientChecks
from trainshed.client.jobs import Jobs
from trainshed.client.models import Models
from trainshed.client.parameters import Parameters
from trainshed.client.presets import Presets
from trainshed.client.retries import RETRIES
from trainshed.client.workers import Workers

DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """A connection to one trainshed; safe to share between threads.

    `url` may lack its scheme, and have a path that a proxy puts before the service's. Raises InvalidUrl. What fails in
    passing is tried again up to `retries` times, where that can do nothing twice; Retry-After is honored.

    >>> with Client() as client:
    ...     job = client.jobs.submit({"data": {"train": "digits", "target": "label"}})
    ...     print(client.jobs.wait(job["id"])["result"])
    """

    def __init__(self, url: str = DEFAULT_URL, *, timeout: float = 30.0, retries: int = RETRIES) -> None:
        try:
            self.url = read_address(url)
        except ValueError as error:
            raise InvalidUrl(str(error)) from None
        self._connection = Connection(self.url, timeout, retries)
        self.jobs = Jobs(self._connection)
        self.gradient_checks = GradientChecks(self._connection)
        self.datasets = Datasets(self._connection)
        self.parameters = Parameters(self._connection)
        self.models = Models(self._connection)
        self.batches = Batches(self._connection)
        self.workers = Workers(self._connection)
        self.presets = Presets(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def ready(self) -> bool:
        """Whether the service and what it leans on work, as they are now."""
        try:
            self._connection.request("GET", "/health/ready", retries=0)
        except (ProblemError, Unreachable):
            return False
        return True
