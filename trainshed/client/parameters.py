"""Initial parameters of networks: uploaded, and named by `{"type": "given", "parameters": …}` in a spec."""

from pathlib import Path
from typing import Literal

from trainshed.client.connection import Connection
from trainshed.client.media_types import media_type_of
from trainshed.client.page import Page
from trainshed.client.types import ParameterSet


class Parameters:
    """`client.parameters`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(
        self,
        name: str,
        content: Path | bytes,
        media_type: str | None = None,
        *,
        layout: Literal["auto", "native", "pytorch", "keras"] | None = None,
        key: str | None = None,
    ) -> ParameterSet:
        """Store parameters W1 b1 W2 b2 …, or those of PyTorch or Keras under their own names; .npz or .safetensors."""
        media_type = media_type or media_type_of(name, content)
        query = {"name": name, "layout": layout}
        return self._connection.upload(ParameterSet, "/v1/parameters", content, media_type, query, key=key)

    def get(self, reference: str) -> ParameterSet:
        """Parameters by id or name."""
        return self._connection.json(ParameterSet, "GET", f"/v1/parameters/{reference}")

    def list(self, *, limit: int = 20, after: str | None = None) -> Page[ParameterSet]:
        """A page of them, newest first."""
        return self._connection.page(ParameterSet, "/v1/parameters", {"limit": limit, "after": after})
