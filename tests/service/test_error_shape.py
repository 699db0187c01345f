"""Every route answers every kind of mistake in the same shape."""

import re

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from service.routes import (
    augmented,
    batch_predictions,
    comparison,
    control,
    datasets,
    explanations,
    gradient_checks,
    health,
    hyperparameters,
    jobs,
    model_predictions,
    models,
    parameters,
    predictions,
    progress,
    schemas,
    workers,
)
from tests.service.shape import assert_problem

ROUTERS: list[APIRouter] = [
    models.router,
    model_predictions.router,
    explanations.router,
    batch_predictions.router,
    workers.router,
    hyperparameters.router,
    control.router,
    comparison.router,
    datasets.router,
    augmented.router,
    parameters.router,
    jobs.router,
    progress.router,
    gradient_checks.router,
    predictions.router,
    schemas.router,
    health.router,
]
ROUTES = sorted(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)
PATHS = sorted({path for _, path in ROUTES})
MAKES_A_NAME = ("POST", "/v1/models/{name}/versions")
WITH_ID = [route for route in ROUTES if "{" in route[1] and route != MAKES_A_NAME]
BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("POST", "predict"): {"rows": [[1.0]]},
    ("POST", "explain"): {"row": [1.0]},
    ("POST", "batch-predictions"): {"dataset": "iris"},
    ("PUT", "{name}"): {"drift": True},
    ("PUT", "{alias}"): {"version": 1},
}
JSON_BODY = {"Content-Type": "application/json"}


def unknown(path: str) -> str:
    counted = path.replace("{number}", "1").replace("{version}", "1")
    return re.sub(r"{\w+}", "job_00000000000000000000000000000000", counted)


@pytest.mark.parametrize("path", PATHS)
def test_404_below_a_route(client: httpx.Client, path: str) -> None:
    assert_problem(client.get(unknown(path) + "/nothing/here"), 404)


@pytest.mark.parametrize(("method", "path"), WITH_ID)
def test_404_for_what_is_not_there(client: httpx.Client, method: str, path: str) -> None:
    body = BODIES.get((method, path.rpartition("/")[2]), {} if method == "PATCH" else None)
    problem = assert_problem(client.request(method, unknown(path), json=body), 404)
    assert problem["code"].startswith("unknown_")
    assert "00000" in problem["detail"]


@pytest.mark.parametrize("path", PATHS)
def test_405_names_every_method_that_is_allowed(client: httpx.Client, path: str) -> None:
    answer = client.request("PROPFIND", unknown(path))
    assert_problem(answer, 405)
    methods = {method for method, route in ROUTES if route == path}
    assert answer.headers["allow"] == ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if not route[1].startswith("/health")])
def test_422_for_a_query_parameter_that_no_route_has(client: httpx.Client, method: str, path: str) -> None:
    problem = assert_problem(client.request(method, unknown(path), params={"limt": 3}), 422)
    assert {"pointer": "/limt", "in": "query"}.items() <= problem["errors"][0].items()


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/jobs?limit=0", "/limit"),
        ("/v1/jobs?limit=ten", "/limit"),
        ("/v1/jobs?limit=100000000", "/limit"),
        ("/v1/jobs?limit=" + "9" * 5000, "/limit"),
        ("/v1/jobs?state=runing", "/state"),
        ("/v1/jobs/job_0?wait=nan", "/wait"),
        ("/v1/jobs/job_0?wait=-1", "/wait"),
        ("/v1/jobs/job_0/gradient-checks/1?wait=soon", "/wait"),
        ("/v1/jobs/job_0/gradient-checks?after=-1", "/after"),
        ("/v1/datasets?limit=-1", "/limit"),
        ("/v1/datasets/iris/preview?limit=101", "/limit"),
        ("/v1/parameters?limit=1.5", "/limit"),
    ],
)
def test_422_for_a_query_parameter_with_a_bad_value(client: httpx.Client, path: str, pointer: str) -> None:
    problem = assert_problem(client.get(path), 422)
    assert [(error["pointer"], error["in"]) for error in problem["errors"]] == [(pointer, "query")]


def test_a_state_that_does_not_exist_is_answered_with_those_that_do(client: httpx.Client) -> None:
    detail = client.get("/v1/jobs?state=runing").json()["detail"]
    assert "did you mean 'running'" in detail and "'cancelled'" in detail


@pytest.mark.parametrize("text", ["%00", "%ff", "%ed%a0%80", "..%2f..%2fetc%2fpasswd", "job_" + "0" * 5000, "💥"])
def test_strange_ids_are_simply_not_there(client: httpx.Client, text: str) -> None:
    for path in (f"/v1/jobs/{text}", f"/v1/datasets/{text}", f"/v1/parameters/{text}"):
        assert_problem(client.get(path), 404)


def test_a_bug_is_a_problem_too(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("service.routes.jobs.JobView.of", broken)
    answer = client.post("/v1/jobs", json={"data": {"train": "iris", "target": "label"}})
    assert_problem(answer, 500)
    assert "secret" not in answer.text
