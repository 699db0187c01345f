"""A gradient check is asked for over HTTP, made by a worker, and answers whoever waits for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from engine import JobSpec, Network, check_gradients, examples_of, initial_parameters, load_sample, prepare
from tests.service.running import Running
from tests.service.shape import assert_problem
from tests.service.work import Work
from worker.backend import Backend
from worker.process.child import WorkerProcess
from worker.settings import Settings

TANH = {
    "layers": [{"type": "dense", "units": 6}, {"type": "tanh"}],
    "regularization": {"l2": 0.1},
    "training": {"epochs": 8},
    "checks": {"gradients": ["start", "end"]},
}


@pytest.fixture(scope="module")
def process(opened: Backend, settings: Settings) -> Iterator[WorkerProcess]:
    """What a worker's process does, in this one."""
    worker = WorkerProcess(settings, opened.broker, draining=lambda: False)
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def trained(process: WorkerProcess, client: httpx.Client) -> str:
    """The path of a job that has succeeded, with a smooth network."""
    return train(process, client, **TANH)


def train(process: WorkerProcess, client: httpx.Client, **fields: object) -> str:
    # Before all that other tests have left waiting; one of them may be as urgent, and come first.
    spec = {"data": {"train": "iris", "target": "label"}, "priority": 9, **fields}
    answer = client.post("/v1/jobs", json=spec)
    assert answer.status_code == 201, answer.text
    path = str(answer.headers["location"])
    for _ in range(3):
        process.work(answer.json()["id"])
        if client.get(path).json()["done"]:
            break
    assert client.get(path).json()["state"] == "succeeded"
    return path


def made_by(process: WorkerProcess, client: httpx.Client, path: str) -> dict[str, Any]:
    """The check once the worker has made it, and before it those that other tests have left waiting."""
    for _ in range(9):
        process.work(path.split("/")[3])
        check: dict[str, Any] = client.get(path).json()
        if check["state"] in ("succeeded", "failed"):
            break
    return check


@pytest.fixture
def report(process: WorkerProcess, client: httpx.Client) -> Callable[..., dict[str, Any]]:
    """Asks for a check of the job at the path, has it made, and gives its report."""

    def make(job: str, **wanted: object) -> dict[str, Any]:
        answer = client.post(f"{job}/gradient-checks", json=wanted)
        assert answer.status_code == 201, answer.text
        check = made_by(process, client, answer.headers["location"])
        assert check["state"] == "succeeded", check
        made: dict[str, Any] = check["report"]
        return made

    return make


def test_a_check_is_a_resource_that_waits_for_a_worker(
    running: Running, client: httpx.Client, process: WorkerProcess, trained: str
) -> None:
    before = client.get(f"{trained}/events").json()
    answer = client.post(f"{trained}/gradient-checks")  # a body is not needed
    assert answer.status_code == 201
    queued = answer.json()
    assert answer.headers["location"] == f"{trained}/gradient-checks/{queued['number']}"
    assert (queued["state"], queued["report"], queued["error"], queued["finished_at"]) == ("queued", None, None, None)
    assert queued["requested"] == {"at": "end", "epsilon": 1e-7, "sided": "two", "sample": 1000, "seed": 0}
    assert client.get(answer.headers["location"], params={"wait": 0.1}).json() == queued

    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(lambda: client.get(answer.headers["location"], params={"wait": 60}).json())
        running.await_watchers(1)
        made_by(process, client, answer.headers["location"])
        done = poll.result()
    assert (done["state"], done["report"]["verdict"]) == ("succeeded", "great")

    listed = client.get(f"{trained}/gradient-checks").json()["data"]
    assert [check["number"] for check in listed] == list(range(1, len(listed) + 1))
    assert [check["requested"] for check in listed[:2]] == [None, None]
    assert [check["report"]["at"] for check in listed[:2]] == ["start", "end"]
    assert listed[queued["number"] - 1] == done
    assert client.get(f"{trained}/events").json() == before, "the story of a job that is done is over"


def test_the_error_of_two_sides_is_of_a_higher_order_than_that_of_one(
    trained: str, report: Callable[..., dict[str, Any]]
) -> None:
    def difference(sided: str, epsilon: float) -> float:
        return float(report(trained, sided=sided, epsilon=epsilon)["difference"])

    one, two = difference("one", 1e-4), difference("two", 1e-4)
    assert one > 100 * two
    # ten times the step: ten times the error of O(ε), a hundred times that of O(ε²)
    assert difference("one", 1e-3) / one == pytest.approx(10, rel=0.1)
    assert difference("two", 1e-2) / difference("two", 1e-3) == pytest.approx(100, rel=0.1)


def test_the_job_s_own_reports_are_made_again_to_the_bit(
    client: httpx.Client, trained: str, report: Callable[..., dict[str, Any]]
) -> None:
    kept = client.get(trained).json()["result"]["epoch"]
    start, end = (check["report"] for check in client.get(f"{trained}/gradient-checks").json()["data"][:2])
    assert report(trained, at="start") == start
    assert report(trained, at="end") == end
    assert report(trained, at=kept) == end | {"at": kept}


def test_the_parameters_of_the_start_are_those_of_the_seed(
    client: httpx.Client, process: WorkerProcess, report: Callable[..., dict[str, Any]]
) -> None:
    job = train(process, client, **TANH, seed=11)
    spec = JobSpec.model_validate(client.get(job).json()["spec"])
    data = prepare(spec.data, {"iris": load_sample("iris")}, dtype=spec.precision)
    network = Network.of(spec, data.preprocessor)
    examples = examples_of("train", network, data, spec.precision)
    expected = check_gradients(network, initial_parameters(network, spec), examples, sample=20, seed=5)
    assert report(job, at="start", sample=20, seed=5) == expected.model_dump(mode="json")


def test_a_big_network_is_sampled_with_every_tensor_represented(
    client: httpx.Client, process: WorkerProcess, report: Callable[..., dict[str, Any]]
) -> None:
    layers = [{"type": "dense", "units": 100}, {"type": "batch_norm"}, {"type": "tanh"}, {"type": "dense", "units": 50}]
    job = train(process, client, layers=layers, training={"epochs": 1}, checks={"gradients": []})
    made = report(job, sample=60, seed=3)
    assert made["parameters"] > 5000
    assert 60 <= made["checked"] <= 120
    assert {tensor["name"]: tensor["size"] for tensor in made["tensors"]} == {
        "W1": 400, "W2": 5000, "W3": 150, "gamma1": 100, "beta1": 100, "b2": 50, "b3": 3,
    }  # fmt: skip
    assert all(tensor["checked"] >= min(5, tensor["size"]) for tensor in made["tensors"])
    assert report(job, sample=60, seed=3) == made
    assert report(job, sample=60, seed=4)["tensors"] != made["tensors"]


def test_a_running_job_is_checked_at_its_start_and_its_story_tells_of_it(
    client: httpx.Client, work: Work, job: Callable[..., str], report: Callable[..., dict[str, Any]]
) -> None:
    job_id = job(**TANH)
    claim = work.claim(job_id)
    assert report(f"/v1/jobs/{job_id}", at="start")["verdict"] == "great"
    (*_, event) = client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    assert (event["type"], event["data"]["at"], event["data"]["number"]) == ("gradients_checked", "start", 1)
    work.record(claim, rows=[{"epoch": 1, "train_cost": 1.0}], epoch=1)
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "running"


@pytest.mark.parametrize("at", ["end", 3])
def test_a_job_without_a_model_can_be_checked_at_its_start_only(
    client: httpx.Client, work: Work, job: Callable[..., str], at: object
) -> None:
    job_id = job()

    def refused(state: str) -> None:
        problem = assert_problem(client.post(f"/v1/jobs/{job_id}/gradient-checks", json={"at": at}), 409)
        assert (problem["code"], problem["errors"][0]["pointer"]) == ("moment_missing", "/at")
        assert f"is {state}" in problem["detail"] and '"start"' in problem["detail"]

    refused("queued")
    claim = work.claim(job_id)
    refused("running")
    work.fail(claim)
    refused("failed")
    assert client.get(f"/v1/jobs/{job_id}/gradient-checks").json() == {"data": [], "has_more": False}


def test_an_epoch_that_was_not_kept_is_answered_with_those_that_can_be_had(client: httpx.Client, trained: str) -> None:
    kept = client.get(trained).json()["result"]["epoch"]
    other = kept % 8 + 1
    problem = assert_problem(client.post(f"{trained}/gradient-checks", json={"at": other}), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/at"]
    assert f"epoch {other}" in problem["detail"]
    assert f"epoch {kept}" in problem["detail"] and '"start"' in problem["detail"] and '"end"' in problem["detail"]


def test_a_job_whose_data_are_gone_says_so(client: httpx.Client, process: WorkerProcess) -> None:
    lines = "".join(f"{x},{3 * x + 1}\n" for x in range(40))
    headers = {"Content-Type": "text/csv"}
    stored = client.post("/v1/datasets", params={"name": "gone"}, content=f"x,y\n{lines}", headers=headers)
    assert stored.status_code == 201, stored.text
    job = train(process, client, data={"train": "gone", "target": "y"}, training={"epochs": 1})
    waiting = client.post(f"{job}/gradient-checks").json()
    client.delete("/v1/datasets/gone")
    problem = assert_problem(client.post(f"{job}/gradient-checks"), 409)
    assert problem["code"] == "input_gone" and "'gone'" in problem["detail"]
    failed = made_by(process, client, f"{job}/gradient-checks/{waiting['number']}")
    assert (failed["state"], failed["report"], failed["error"]["code"]) == ("failed", None, "input_gone")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"at": "middle"}, "/at"),
        ({"at": 0}, "/at"),
        ({"at": "3"}, "/at"),
        ({"at": True}, "/at"),
        ({"at": None}, "/at"),
        ({"epsilon": 0}, "/epsilon"),
        ({"epsilon": -1e-7}, "/epsilon"),
        ({"epsilon": 0.011}, "/epsilon"),
        ({"epsilon": "1e-7"}, "/epsilon"),
        ({"sample": 0}, "/sample"),
        ({"sample": 10_001}, "/sample"),
        ({"sample": 1.5}, "/sample"),
        ({"seed": -1}, "/seed"),
        ({"seed": 2**63}, "/seed"),
        ({"sided": "both"}, "/sided"),
        ({"sided": 2}, "/sided"),
        ({"epsilom": 1e-7}, "/epsilom"),
        ([], ""),
    ],
)
def test_a_check_that_cannot_be_meant_is_refused(
    client: httpx.Client, trained: str, body: object, pointer: str
) -> None:
    before = client.get(f"{trained}/gradient-checks").json()
    problem = assert_problem(client.post(f"{trained}/gradient-checks", json=body), 422)
    assert {error["pointer"] for error in problem["errors"]} == {pointer}
    assert client.get(f"{trained}/gradient-checks").json() == before


def test_a_check_that_was_never_asked_for_is_not_there(client: httpx.Client, trained: str) -> None:
    assert assert_problem(client.get(f"{trained}/gradient-checks/999999"), 404)["code"] == "unknown_check"
    for number in ("0", "-1", "one", str(2**31), "9" * 400):
        problem = assert_problem(client.get(f"{trained}/gradient-checks/{number}"), 422)
        assert [(error["pointer"], error["in"]) for error in problem["errors"]] == [("/number", "path")]


def test_the_list_is_read_page_by_page(client: httpx.Client, trained: str) -> None:
    numbers, after = [], 0
    while True:
        page = client.get(f"{trained}/gradient-checks", params={"limit": 1, "after": after}).json()
        numbers += [check["number"] for check in page["data"]]
        if not page["has_more"]:
            break
        after = numbers[-1]
    assert numbers == [check["number"] for check in client.get(f"{trained}/gradient-checks").json()["data"]]
