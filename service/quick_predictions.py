"""The short way for what most predictions are: a JSON body of plain numbers, for a model that is in memory.

It stands in front of the framework, whose routing, validation and serialization take longer than such a prediction.
Whatever it does not know by heart it leaves to the route, with the body unread again: both answer the same bytes.
"""

import re
from typing import Any

import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from starlette.types import ASGIApp, Receive, Scope, Send

from engine import RowError
from service.http import fast_json
from service.http.plain_requests import again, is_plain, whole_body
from service.http.response_encoding import LEAST, Compressing
from service.http.root_path import route_path
from service.predictions import answers
from service.predictions.dynamic_batching import DynamicBatcher
from service.predictions.serving import Served, Serving

PATH = re.compile(r"/v1/models/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})/predict")
QUERY = re.compile(rb"(?:(alias)=([A-Za-z][A-Za-z0-9_.-]{0,63})|(version)=([1-9][0-9]{0,8}))?")
FRACTIONS = (b".", b"e", b"E")
LETTERS = (b"t", b"f", b"n")  # of true, false and null: what is not a number


class QuickRoute:
    """For the access log: the route that the request would have taken."""

    path_format = "/v1/models/{name}/predict"


class QuickPredictions:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, api: FastAPI) -> None:
        self.app = app
        self.serving: Serving = api.state.serving
        self.gatherer: DynamicBatcher = api.state.gatherer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = self._known(scope)
        if served is None:
            await self.app(scope, receive, send)
            return
        message = await receive()
        body = whole_body(message)
        X = None if body is None else inputs(served, body)
        if X is None:
            await self.app(scope, again(message, receive), send)
            return
        try:
            content = answers.as_json(
                served.name, served.version, served.model, await self.gatherer.answers(served.model, X), None
            )
        except RowError:  # which the route says better
            await self.app(scope, again(message, receive), send)
            return
        scope["route"] = QuickRoute
        headers = [
            (b"trainshed-model", f"{served.name}@{served.version}".encode()),
            (b"content-length", str(len(content)).encode()),
            (b"content-type", b"application/json"),
        ]
        if len(content) >= LEAST:
            send = Compressing(scope, send).send
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _known(self, scope: Scope) -> Served | None:
        """The model in memory that the request means, if the request is of the plain kind."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/predict"):
            return None
        path, query = PATH.fullmatch(route_path(scope)), QUERY.fullmatch(scope["query_string"])
        if path is None or query is None or not is_plain(scope["headers"]):
            return None
        reference = query[2].decode() if query[1] else int(query[4]) if query[3] else None
        served = self.serving.known(path[1], reference)
        return None if served is None or served.sampled else served


def inputs(served: Served, body: bytes) -> NDArray[np.floating] | None:
    """The network's inputs of a body that holds rows of numbers and nothing else; None for any other."""
    if body.count(b'"') != 2 or any(letter in body for letter in LETTERS):
        return None
    document = fast_json.parsed(body)
    if not isinstance(document, dict) or document.keys() != {"rows"}:
        return None
    rows: Any = document["rows"]
    if not isinstance(rows, list) or not rows or any(type(row) is not list for row in rows):
        return None
    try:
        array = numbers(rows, whole=not any(mark in body for mark in FRACTIONS))
        nested = [shape for shape in served.model.preprocessor.shapes.values() if shape]
        return served.model.inputs(array) if array.ndim == 2 or [array.shape[1:]] == nested else None
    except (RowError, ValueError, OverflowError, TypeError):
        return None


def numbers(rows: list[list[Any]], *, whole: bool) -> NDArray[np.generic]:
    """The rows as an array; the ways differ in speed, and Python's integers become floats slowly."""
    if len(rows) > 1 or not rows[0] or type(rows[0][0]) is list:
        return np.array(rows, np.int64 if whole else np.float64)
    (row,) = rows
    if whole and 0 <= row[0] < 256 and 0 <= row[-1] < 256:
        try:
            return np.frombuffer(bytes(row), np.uint8).reshape(1, -1)  # pixels
        except ValueError:  # one in between is none
            pass
    return np.fromiter(row, np.int64 if whole else np.float64, len(row)).reshape(1, -1)
