"""Every method of the client is a route of the document, asked as that says, and every route has a method."""

import inspect
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.service.contract import Contract
from tests.stack.scripted import Answer, Asked, answering
from trainshed import Client, TrainshedError

NOUNS = ("jobs", "gradient_checks", "datasets", "parameters", "models", "batches", "workers", "presets")
# What download and card ask for by ?version=.
BY_QUERY = {"download_version", "get_version_card"}
ANSWER = Answer(
    body=b'{"data": [], "has_more": false, "predictions": [], "done": true, "state": "succeeded", "finished_at": "now"}'
)
ARGUMENTS: dict[str, Any] = {
    "after": 3,
    "alias": "production",
    "augment": [{"type": "flip"}],
    "batch_id": "batch_1",
    "change": {},
    "checkpoint": 1,
    "content": b"x\n1\n",
    "dataset": "iris",
    "draws": 2,
    "drift": True,
    "fields": ["id"],
    "format": "npz",
    "if_match": '"1"',
    "job_id": "job_1",
    "job_ids": "job_2",
    "keep": ["id"],
    "key": "mine",
    "layout": "keras",
    "limit": 5,
    "max_points": 10,
    "media_type": "text/csv",
    "mode": "color",
    "model": "one",
    "name": "one",
    "note": "why",
    "number": 1,
    "older_than_seconds": 0.0,
    "patch": {},
    "reference": "iris",
    "rows": [[1.0]],
    "seconds": 0.0,
    "seed": 1,
    "size": "2x2",
    "smoothing": 0.5,
    "spec": {},
    "split": {"type": "fractions"},
    "state": "queued",
    "strict": True,
    "target": "label",
    "threshold": 0.5,
    "top_k": 2,
    "version": 2,
    "wanted": {},
    "white": 4095,
    "one_hot": False,
    "sheet": "2024",
    "options": {"header": "true"},
}


def called(client: Client, to: Path) -> Iterator[str]:
    """The methods, each called with all that it takes."""
    for noun in NOUNS:
        for name, method in inspect.getmembers(getattr(client, noun), inspect.ismethod):
            if name.startswith("_"):
                continue
            given: dict[str, Any] = {}
            several: list[Any] = []
            for parameter in inspect.signature(method).parameters.values():
                value = to if parameter.name == "path" else ARGUMENTS[parameter.name]
                if parameter.name == "rows" and parameter.annotation is int:
                    value = 2
                if parameter.kind is parameter.VAR_POSITIONAL:
                    several = [value]
                else:
                    given[parameter.name] = value
            with suppress(TrainshedError):  # the answer to a stream is none
                found = method(*several, **given)
                if inspect.isgenerator(found):
                    list(found)
            yield f"{noun}.{name}"


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Asked]]:
    """What each method asks for first."""
    said = []
    with pytest.MonkeyPatch.context() as patched, answering([ANSWER]) as script, Client(script.url) as client:
        patched.setattr(time, "sleep", lambda seconds: None)
        seen = 0
        for name in called(client, tmp_path_factory.mktemp("client") / "file"):
            assert len(script.asked) > seen, f"{name} asks for nothing"
            said.append((name, script.asked[seen]))
            seen = len(script.asked)
    return said


def test_every_method_asks_for_what_is_documented(contract: Contract, requests: list[tuple[str, Asked]]) -> None:
    assert {"jobs.submit", "models.explain", "batches.wait"} <= {name for name, _ in requests}
    for name, asked in requests:
        url = urlsplit(asked.path)
        operation = contract.operation(asked.method, url.path)
        assert operation is not None, f"{name}: {asked.method} {asked.path}"
        parameters = {(each["in"], each["name"].lower()) for each in operation.get("parameters", ())}
        assert {("query", field) for field in parse_qs(url.query)} <= parameters, name
        creates = ("header", "idempotency-key") in parameters and "validate_only" not in url.query
        assert asked.headers.get("Idempotency-Key") == ("mine" if creates else None), name


def test_every_route_has_a_method(contract: Contract, requests: list[tuple[str, Asked]]) -> None:
    routes = {operation["operationId"] for _, path, operation in contract.operations() if path.startswith("/v1/")}
    found = [contract.operation(asked.method, urlsplit(asked.path).path) for _, asked in requests]
    assert {operation["operationId"] for operation in found if operation} == routes - BY_QUERY
