"""Two tenants and a stand-in that says who asks: what is one's is not there for the other, by whatever route."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.types import Scope
from structlog.testing import capture_logs

from service.http.authentication import Authenticator
from service.http.client_timeouts import Patience
from service.http.headers import header
from service.http.problems import RequestRefused
from service.predictions.revisions import Revisions
from tests.service.contract import Contract
from tests.service.running import Running, served
from tests.service.shape import assert_problem
from tests.until import CEILING, until
from worker.backend import Backend
from worker.domain.principals import Principal
from worker.models.models_backend import ModelsBackend
from worker.process.child import WorkerProcess
from worker.settings import Settings
from worker.store import open_store

HEADER = "x-asked-by"
TENANTS = {"ann": "red", "carol": "red", "bob": "blue"}
ROW = [5.1, 3.5, 1.4, 0.2]
NPZ = {"Content-Type": "application/x-npz"}
CSV = {"Content-Type": "text/csv"}
FLOWERS = b"sepal length (cm),sepal width (cm),petal length (cm),petal width (cm),species\n" + b"".join(
    b"%d.5,3.%d,1.4,0.%d,%s\n" % (5 + n % 3, n % 7, n % 5, b"ab"[n % 2 : n % 2 + 1]) for n in range(40)
)
Ask = dict[str, httpx.Client]


class ByHeader:
    """Believes whatever name a request says."""

    async def principal_of(self, scope: Scope) -> Principal:
        name = (header(scope, HEADER.encode()) or b"").decode()
        if name not in TENANTS:
            raise RequestRefused(401, "unauthorized", "Say who you are", f"the header {HEADER} names nobody")
        return Principal(name, TENANTS[name])


@pytest.fixture(scope="module")
def shared(opened: Backend, settings: Settings) -> Iterator[Running]:
    chosen = settings.model_copy(update={"cors_origins": ("https://page.example",)})
    by_header: Authenticator = ByHeader()
    with served(opened, chosen, Patience(), by_header) as service:
        yield service


@pytest.fixture(scope="module")
def ask(shared: Running, contract: Contract) -> Iterator[Ask]:
    """A client of each."""
    with ExitStack() as exits:
        yield {
            name: exits.enter_context(
                httpx.Client(
                    base_url=shared.url,
                    headers={HEADER: name},
                    timeout=CEILING,
                    event_hooks={"response": [contract.check]},
                )
            )
            for name in TENANTS
        }


@pytest.fixture(scope="module")
def trained(ask: Ask, opened: Backend, settings: Settings) -> Iterator[Callable[..., str]]:
    """Trains a small job of somebody's; its id."""
    with closing(WorkerProcess(settings, opened.broker, draining=lambda: False)) as process:

        def train(name: str, **fields: object) -> str:
            spec = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 3}, "priority": 9, **fields}
            job_id: str = made(ask[name].post("/v1/jobs", json=spec))["id"]
            for _ in range(3):  # a message may bring another job, one of a test before that is as urgent
                process.work(job_id)
            assert ask[name].get(f"/v1/jobs/{job_id}").json()["state"] == "succeeded"
            return job_id

        yield train


def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201, 202), answer.text
    found: dict[str, Any] = answer.json()
    return found


def tensors() -> bytes:
    file = BytesIO()
    np.savez(file, W1=np.ones((4, 3)), b1=np.zeros(3))
    return file.getvalue()


@pytest.fixture(scope="module")
def hers(ask: Ask, trained: Callable[..., str]) -> dict[str, str]:
    """One of everything that ann has, by the names of path parameters."""
    ann = ask["ann"]
    job_id = trained("ann", register_as="hers", checks={"gradients": ["start"]})
    made(ann.put("/v1/models/hers/aliases/live", json={"version": 1}))
    dataset = made(ann.post("/v1/datasets?name=flowers", content=FLOWERS, headers=CSV))
    parameters = made(ann.post("/v1/parameters?name=start", content=tensors(), headers=NPZ))
    batch = made(ann.post("/v1/models/hers/batch-predictions", json={"dataset": "flowers"}))
    return {
        "job_id": job_id,
        "dataset": dataset["id"],
        "parameters": parameters["id"],
        "name": "hers",
        "version": "1",
        "alias": "live",
        "batch": batch["id"],
        "number": "1",
    }


NOBODYS = {
    "job_id": "job_" + "0" * 32,
    "dataset": "ds_" + "0" * 32,
    "parameters": "ps_" + "0" * 32,
    "name": "nobodys",
    "version": "1",
    "alias": "live",
    "batch": "bp_" + "0" * 32,
    "number": "1",
}


def body_of(operation: str, names: dict[str, str]) -> object:
    """A body that the operation takes."""
    rows, data = {"rows": [ROW]}, [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": ROW}]
    bodies: dict[str, object] = {
        "predict_with_model": rows,
        "predict_with_job": rows,
        "infer_with_model": {"inputs": data},
        "infer_with_version": {"inputs": data},
        "change_hyperparameters": {"training": {"epochs": 9}},
        "change_model": {"drift": True},
        "change_version": {"strict": True},
        "register_version": {"job": names["job_id"]},
        "set_alias": {"version": 1},
        "submit_batch_prediction": {"dataset": "iris"},
        "explain_model": {"row": ROW},
    }
    return bodies.get(operation)


def asked(client: httpx.Client, method: str, path: str, operation: str, names: dict[str, str]) -> httpx.Response:
    body = body_of(operation, names)
    content = {} if body is None else {"json": body}
    return client.request(method, path.format(**names), **content)  # type: ignore[arg-type]  # one of its arguments


def test_no_route_answers_with_what_is_anothers(ask: Ask, hers: dict[str, str], contract: Contract) -> None:
    """It is answered as what nobody has: with the same status, in the same words."""
    walked = 0
    for method, path, operation in contract.operations():
        if "{" not in path:
            continue
        name, walked = operation["operationId"], walked + 1
        if method == "GET":
            assert asked(ask["ann"], method, path, name, hers).status_code != 404, "ann has it"
        answer = asked(ask["bob"], method, path, name, hers)
        stranger = asked(ask["bob"], method, path, name, NOBODYS)
        # what a body names and is not there is the body's fault
        assert answer.status_code == stranger.status_code == (422 if name == "register_version" else 404), name
        said = answer.text
        for key in ("job_id", "dataset", "parameters", "batch", "name"):
            said = said.replace(hers[key], NOBODYS[key])
        assert said == stranger.text
    assert walked > 40
    for key, path in (("job_id", "jobs"), ("dataset", "datasets"), ("parameters", "parameters"), ("name", "models")):
        assert ask["ann"].get(f"/v1/{path}/{hers[key]}").status_code == 200, "bob has deleted nothing"


def test_no_spec_reaches_for_what_is_anothers(ask: Ask, hers: dict[str, str]) -> None:
    bob, iris = ask["bob"], {"train": "iris", "target": "label"}
    specs = {
        "/data/train": {"data": {"train": hers["dataset"], "target": "species"}},
        "/initializer/parameters": {"data": iris, "initializer": {"type": "given", "parameters": hers["parameters"]}},
        "/start_from/job": {"data": iris, "start_from": {"job": hers["job_id"]}},
    }
    for pointer, spec in specs.items():
        for query in ("", "?validate_only=true"):
            problem = assert_problem(bob.post(f"/v1/jobs{query}", json=spec), 422)
            assert [error["pointer"] for error in problem["errors"]] == [pointer]
        assert ask["ann"].post("/v1/jobs?validate_only=true", json=spec).status_code == 200
    named = {"data": {"train": "flowers", "target": "species"}}
    problem = assert_problem(bob.post("/v1/jobs", json=named), 422)
    assert "flowers" not in problem["detail"].partition("; ")[2], "no hint tells what others have"
    own = made(bob.post("/v1/jobs", json={"data": iris}))["id"]
    assert_problem(bob.get(f"/v1/compare?jobs={own},{hers['job_id']}"), 404)


def test_lists_are_of_the_tenants_own(ask: Ask, hers: dict[str, str], contract: Contract) -> None:
    made(ask["bob"].post("/v1/datasets?name=flowers", content=FLOWERS + b"1,1,1,1,x\n", headers=CSV))
    made(ask["bob"].post("/v1/parameters?name=start", content=tensors(), headers=NPZ))
    made(ask["bob"].post("/v1/jobs", json={"data": {"train": "iris", "target": "label"}}))
    lists = [path for method, path, _ in contract.operations() if method == "GET" and "{" not in path]
    told = {"/v1/workers", "/v1/presets"}  # of everybody
    found = 0
    for path in lists:
        answers = {name: ask[name].get(f"{path}?jobs=a,b" if path == "/v1/compare" else path) for name in TENANTS}
        if path in told or not all("data" in answer.text and answer.is_success for answer in answers.values()):
            continue
        entries = {name: answer.json().get("data") for name, answer in answers.items()}
        if not isinstance(entries["ann"], list):
            continue
        found += 1
        ids = {name: {entry.get("id", entry["name"]) for entry in some} for name, some in entries.items()}
        assert ids["ann"] == ids["carol"] != set() and not ids["ann"] & ids["bob"], path
        assert {entry["created_by"] for entry in entries["bob"]} <= {"bob"}
        assert {entry["created_by"] for entry in entries["ann"]} == {"ann"}
    assert found == 4  # jobs, datasets, parameter sets, models
    table = ask["bob"].get("/v1/jobs?format=csv&limit=1000").text
    assert hers["job_id"] not in table and hers["job_id"] in ask["carol"].get("/v1/jobs?format=csv&limit=1000").text
    for limit in (20, 1, 20):
        listed = {name: ask[name].get(f"/v1/jobs?limit={limit}") for name in TENANTS}
        assert listed["ann"].content == listed["carol"].content != listed["bob"].content


def test_a_key_replays_nothing_to_another(ask: Ask) -> None:
    spec = {"data": {"train": "iris", "target": "label"}}
    key = {"Idempotency-Key": "the-same-for-all"}
    first = {name: ask[name].post("/v1/jobs", json=spec, headers=key) for name in TENANTS}
    again = {name: ask[name].post("/v1/jobs", json=spec, headers=key) for name in TENANTS}
    assert len({made(answer)["id"] for answer in first.values()}) == len(TENANTS)
    assert not any("idempotent-replay" in answer.headers for answer in first.values())
    for name in TENANTS:
        assert again[name].headers["idempotent-replay"] == "true" and again[name].json() == first[name].json()
        assert first[name].json()["created_by"] == name
    uploads = [ask[name].post("/v1/datasets?name=keyed", content=FLOWERS, headers=key | CSV) for name in ("ann", "bob")]
    assert [made(answer)["created_by"] for answer in uploads] == ["ann", "bob"]
    assert len({answer.json()["id"] for answer in uploads}) == 2


def test_a_change_says_who_made_it(ask: Ask, hers: dict[str, str]) -> None:
    ann, carol = ask["ann"], ask["carol"]
    path = f"/v1/jobs/{made(ann.post('/v1/jobs', json={'data': {'train': 'iris', 'target': 'label'}}))['id']}"
    made(ann.patch(f"{path}/hyperparameters", json={"training": {"epochs": 50}}))
    made(carol.patch(f"{path}/hyperparameters", json={"training": {"epochs": 60}}))
    changes = ann.get(f"{path}/hyperparameters").json()["data"]
    assert [change["who"] for change in changes] == ["ann", "carol"]
    assert carol.get(path).json()["created_by"] == "ann"
    made(carol.put("/v1/models/hers/aliases/other", json={"version": 1}))
    assert ann.delete("/v1/models/hers/aliases/other").status_code == 204
    changes = ann.get("/v1/models/hers/aliases/other/history").json()["data"]
    assert [(change["change"], change["who"]) for change in changes] == [("removed", "ann"), ("set", "carol")]
    check = made(carol.post(f"/v1/jobs/{hers['job_id']}/gradient-checks"))
    assert check["created_by"] == "carol"
    checks = ann.get(f"/v1/jobs/{hers['job_id']}/gradient-checks").json()["data"]
    assert [one["created_by"] for one in checks][:1] == ["ann"]  # whose spec wanted it


def test_a_worker_does_not_tell_for_whom_it_works(ask: Ask, opened: Backend, hers: dict[str, str]) -> None:
    with closing(open_store(opened.settings)) as store:
        store.workers.seen("worker_0", host="here", pid=1, queues=["cpu"], job_id=hers["job_id"])
        told = {name: ask[name].get("/v1/workers").json()["data"] for name in ("ann", "bob")}
        store.workers.gone("worker_0")
    jobs = {name: [one["job"] for one in data if one["id"] == "worker_0"] for name, data in told.items()}
    assert jobs == {"ann": [hers["job_id"]], "bob": [None]}


def test_whoever_asks_is_known_first(shared: Running, ask: Ask) -> None:
    """Before the path, the body and the method; but probes and preflights come without a name."""
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    with httpx.Client(base_url=shared.url, timeout=CEILING) as nobody:
        for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/nothing"), ("PUT", "/v1/jobs")):
            problem = assert_problem(nobody.request(method, path, headers={HEADER: "eve"}), 401)
            assert HEADER in problem["detail"]
        v2 = nobody.get("/v2/models/hers")
        assert v2.status_code == 401 and v2.json()["error"] == v2.json()["detail"]
        for path in ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"):
            assert nobody.get(path).status_code == 200
        assert nobody.options("/v1/jobs", headers=preflight).status_code == 200
    with capture_logs() as logs:
        ask["carol"].get("/v1/jobs/nothing")
        until(lambda: any(log["event"] == "request" for log in logs))
    assert [log["principal"] for log in logs if log["event"] == "request"] == ["carol"]


def test_models_of_one_name_answer_for_themselves(ask: Ask, trained: Callable[..., str]) -> None:
    """However warm the memory, and whoever of them has just switched an alias."""
    seeds = {"ann": (1, 2), "bob": (3, 4)}
    jobs = {name: [trained(name, register_as="same", seed=seed) for seed in pair] for name, pair in seeds.items()}
    body = {"rows": [ROW]}
    expected = {
        (name, version): made(ask[name].post(f"/v1/jobs/{job_id}/predict", json=body))["predictions"]
        for name in jobs
        for version, job_id in enumerate(jobs[name], 1)
    }
    assert len({str(one) for one in expected.values()}) == 4

    def check(name: str, query: str, version: int) -> None:
        for _ in range(2):  # the second time from memory
            answer = made(ask[name].post(f"/v1/models/same/predict{query}", json=body))
            assert (answer["version"], answer["predictions"]) == (version, expected[name, version])

    for name in jobs:
        check(name, "", 2)
        check(name, "?version=1", 1)
        made(ask[name].put("/v1/models/same/aliases/live", json={"version": 1}))
        check(name, "?alias=live", 1)
    made(ask["ann"].put("/v1/models/same/aliases/live", json={"version": 2}))
    check("ann", "?alias=live", 2)
    check("bob", "?alias=live", 1)
    made(ask["ann"].post("/v1/models/same/aliases/live/rollback"))
    assert ask["bob"].delete("/v1/models/same/aliases/live").status_code == 204
    check("ann", "?alias=live", 1)
    assert_problem(ask["bob"].post("/v1/models/same/predict?alias=live", json=body), 404)
    assert ask["bob"].delete("/v1/models/same/versions/2").status_code == 204
    check("bob", "", 1)
    check("ann", "", 2)
    tensor = [{"name": "input", "shape": [1, 4], "datatype": "FP64", "data": ROW}]
    outputs = {
        name: made(ask[name].post("/v2/models/same/versions/1/infer", json={"inputs": tensor}))["outputs"]
        for name in TENANTS
    }
    assert outputs["ann"] == outputs["carol"] != outputs["bob"]
    index = {name: ask[name].post("/v2/repository/index").json() for name in TENANTS}
    listed = {name: {(one["name"], one["version"]) for one in entries} for name, entries in index.items()}
    assert listed["ann"] == listed["carol"] >= {("same", "1"), ("same", "2")}
    assert {version for name, version in listed["bob"] if name == "same"} == {"1"}


@pytest.mark.parametrize("at_once", [True, False], ids=["in the loop", "in a thread"])
def test_who_asks_together_is_not_told_of_anothers_changes(
    ask: Ask, opened: Backend, trained: Callable[..., str], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    for name in ("ann", "bob"):
        trained(name, register_as="counted")
    made(ask["ann"].put("/v1/models/counted", json={"drift": False}))  # a change more than bob's
    monkeypatch.setattr(ModelsBackend, "answers_at_once", at_once)
    workspaces = [opened.on_behalf_of(Principal(name, TENANTS[name])) for name in ("ann", "bob")]
    now = [workspace.models.get("counted").revision for workspace in workspaces]

    async def are_newest(numbers: list[int]) -> list[bool]:
        revisions = Revisions()
        asked = zip(workspaces, numbers, strict=True)
        return await asyncio.gather(*(revisions.is_newest(one, "counted", number) for one, number in asked))

    assert now[0] != now[1]
    assert asyncio.run(are_newest(now)) == [True, True]
    assert asyncio.run(are_newest(now[::-1])) == [False, False]


def test_what_is_sampled_is_of_the_tenants_own_requests(ask: Ask, trained: Callable[..., str]) -> None:
    for name in ("ann", "bob"):
        trained(name, register_as="watched")
        made(ask[name].put("/v1/models/watched", json={"drift": True}))
    for name in TENANTS:
        for _ in range(3):
            made(ask[name].post("/v1/models/watched/predict", json={"rows": [ROW] * 40}))
    seen = {name: made(ask[name].get("/v1/models/watched/drift"))["seen"] for name in TENANTS}
    assert seen == {"ann": 240, "carol": 240, "bob": 120}
