"""A gallery of jobs."""

from trainshed.client.connection import Connection
from trainshed.client.page import Page
from trainshed.client.types import Preset


class Presets:
    """`client.presets`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Page[Preset]:
        """Jobs from the textbook, each with a sentence on what to look at."""
        return self._connection.page(Preset, "/v1/presets")
