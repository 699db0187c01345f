"""Who works."""

from trainshed.client.connection import Connection
from trainshed.client.page import Page
from trainshed.client.types import Worker


class Workers:
    """`client.workers`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Page[Worker]:
        """The worker processes that were seen lately."""
        return self._connection.page(Worker, "/v1/workers")
