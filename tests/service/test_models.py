"""Registered models over HTTP: versions of what jobs made, aliases that are switched and rolled back."""

import io
from collections.abc import Callable

import httpx
import numpy as np
import onnxruntime
import pytest

from engine import load, load_sample
from tests.service.shape import assert_problem
from tests.service.stored import Snapshot
from tests.until import until
from worker.settings import Settings
from worker.workspace import Workspace


@pytest.fixture(scope="module")
def trained(train: Callable[..., str]) -> tuple[str, str]:
    """Two jobs that have succeeded."""
    return train(seed=0), train(seed=1)


@pytest.fixture
def flowers(client: httpx.Client, trained: tuple[str, str], request: pytest.FixtureRequest) -> str:
    """The path of a model of this test's own, with two versions."""
    path = f"/v1/models/{request.node.name[:50].replace('[', '-').replace(']', '')}"
    for number, job in enumerate(trained, 1):
        answer = client.post(f"{path}/versions", json={"job": job})
        assert (answer.status_code, answer.json().get("version")) == (201, number), answer.text
    return path


def test_a_job_becomes_a_version(
    client: httpx.Client, backend: Workspace, trained: tuple[str, str], flowers: str
) -> None:
    job = client.get(f"/v1/jobs/{trained[0]}").json()
    version = client.get(f"{flowers}/versions/1").json()
    assert version["job"] == job["id"] and version["checkpoint"] is None
    assert version["metrics"] == job["result"] and version["data_hash"] == job["data_hash"]
    assert version["weights_sha256"] == load(backend.jobs.model_path(job["id"])).weights_sha256
    assert version["spec"]["data"]["train"] == "iris"
    assert [one["version"] for one in client.get(f"{flowers}/versions").json()["data"]] == [2, 1]
    model = client.get(flowers).json()
    assert (model["versions"], model["newest"], model["aliases"], model["drift"]) == (2, 2, {}, False)
    assert model in client.get("/v1/models", params={"limit": 1000}).json()["data"]


def test_the_same_job_again_is_the_version_that_is_there(
    client: httpx.Client, trained: tuple[str, str], flowers: str
) -> None:
    again = client.post(f"{flowers}/versions", json={"job": trained[0]})
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert again.headers["location"] == f"{flowers}/versions/1"


def test_what_cannot_be_registered_is_refused(client: httpx.Client, stored: Snapshot, job: Callable[..., str]) -> None:
    waiting = job()
    path = "/v1/models/nothing/versions"
    assert assert_problem(client.post(path, json={"job": waiting}), 409)["code"] == "no_model"
    unknown = assert_problem(client.post(path, json={"job": "job_" + "0" * 32}), 422)
    assert (unknown["code"], unknown["errors"][0]["pointer"]) == ("unknown_job", "/job")
    assert_problem(client.post(path, json={}), 422)
    assert_problem(client.post("/v1/models/a b/versions", json={"job": waiting}), 422)
    assert_problem(client.post(f"/v1/models/{waiting}/versions", json={"job": waiting}), 422)
    assert_problem(client.get("/v1/models/nothing"), 404)
    assert_problem(client.get("/v1/models/nothing/versions"), 404)
    client.post(f"/v1/jobs/{waiting}/cancel")


def test_an_alias_is_set_moved_rolled_back_and_removed(client: httpx.Client, flowers: str) -> None:
    path = f"{flowers}/aliases/production"
    assert_problem(client.get(path), 404)
    for version in (1, 2):
        answer = client.put(path, json={"version": version})
        assert (answer.status_code, answer.json()["version"]) == (200, version), answer.text
    assert client.get(flowers).json()["aliases"] == {"production": 2}
    assert client.get(f"{flowers}/versions/2").json()["aliases"] == ["production"]
    back = client.post(f"{path}/rollback")
    assert (back.status_code, back.json()["version"]) == (200, 1)
    assert assert_problem(client.post(f"{path}/rollback"), 409)["code"] == "no_earlier_version"
    told = [(one["change"], one["version"], one["previous"]) for one in client.get(f"{path}/history").json()["data"]]
    assert told == [("rollback", 1, 2), ("set", 2, 1), ("set", 1, None)]
    assert client.delete(path).status_code == 204
    assert client.get(f"{flowers}/aliases").json() == {"data": [], "has_more": False}
    assert client.get(f"{path}/history").json()["data"][0]["change"] == "removed"


def test_an_alias_means_a_version_that_exists_and_is_no_number(client: httpx.Client, flowers: str) -> None:
    problem = assert_problem(client.put(f"{flowers}/aliases/production", json={"version": 7}), 422)
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("unknown_version", "/version")
    assert_problem(client.put(f"{flowers}/aliases/2", json={"version": 1}), 422)
    assert_problem(client.put(f"{flowers}/aliases/production", json={"version": "1"}), 422)
    assert_problem(client.put("/v1/models/nothing/aliases/production", json={"version": 1}), 404)


def test_a_version_that_is_meant_cannot_be_deleted(client: httpx.Client, flowers: str) -> None:
    client.put(f"{flowers}/aliases/production", json={"version": 1})
    problem = assert_problem(client.delete(f"{flowers}/versions/1"), 409)
    assert problem["code"] == "version_in_use" and "production" in problem["detail"]
    assert client.delete(f"{flowers}/versions/2").status_code == 204
    assert_problem(client.get(f"{flowers}/versions/2"), 404)
    assert client.get(flowers).json()["newest"] == 1


def test_the_file_is_that_of_the_job_and_survives_it(
    client: httpx.Client, backend: Workspace, settings: Settings, train: Callable[..., str], flowers: str
) -> None:
    job = train(seed=7)
    version = client.post(f"{flowers}/versions", json={"job": job}).json()
    own = backend.jobs.model_path(job)
    expected = own.read_bytes()
    own.unlink()  # as if the job were deleted
    answer = client.get(f"{flowers}/versions/{version['version']}/artifact")
    assert answer.headers["content-type"] == "application/vnd.safetensors"
    assert answer.content == expected
    assert client.get(f"{flowers}/artifact").content == expected
    assert (settings.data_dir / "models" / f"{version['sha256']}.safetensors").is_file()


def test_the_artifact_comes_as_npz_too(
    client: httpx.Client, backend: Workspace, trained: tuple[str, str], flowers: str
) -> None:
    answer = client.get(f"{flowers}/versions/1/artifact", params={"format": "npz"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-npz")
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as archive:
        arrays = dict(archive)
    for name, array in load(backend.jobs.model_path(trained[0])).parameters.named().items():
        np.testing.assert_array_equal(arrays[name], array)
    assert_problem(client.get(f"{flowers}/versions/1/artifact", params={"format": "pickle"}), 422)
    until(lambda: not list((backend.settings.data_dir / "unfinished").glob("*")))  # it goes behind the answer


def test_the_card_says_what_the_model_is(client: httpx.Client, flowers: str) -> None:
    card = client.get(f"{flowers}/versions/1/card").json()
    assert card["task"]["kind"] == "classes" and card["task"]["target"] == "label"
    assert [one["name"] for one in card["data"]["datasets"]] == ["iris"]
    assert len(card["data"]["features"]) == 4 and card["data"]["features"][0]["min"] < 5
    assert card["split"]["examples"] == {"train": 90, "dev": 30, "test": 30}
    assert card["gradient_checks"][0]["verdict"] in ("great", "okay")
    assert card["diagnosis"]["verdict"] and card["limits"]
    text = client.get(f"{flowers}/versions/1/card", headers={"Accept": "text/markdown"})
    assert text.headers["content-type"].startswith("text/markdown")
    for part in ("version 1", "## Data", "## Split", "## Result", "## Gradient checks", "## Diagnosis", "## Limits"):
        assert part in text.text
    assert client.get(f"{flowers}/card", params={"format": "markdown", "version": 1}).text == text.text


def test_the_artifact_as_onnx_answers_raw_rows_as_the_service_does(client: httpx.Client, flowers: str) -> None:
    answer = client.get(f"{flowers}/versions/1/artifact", params={"format": "onnx"})
    assert answer.status_code == 200, answer.text
    rows = load_sample("iris").parts["all"]
    numbers = np.stack([rows.whole(name) for name in rows.columns if name != "label"], axis=1)[::7]
    session = onnxruntime.InferenceSession(answer.content)
    (given,) = session.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
    names = [output.name for output in session.get_outputs()]
    answers = dict(zip(names, session.run(None, {given.name: numbers.astype(kind)}), strict=True))
    said = client.post(f"{flowers}/predict?version=1", json={"rows": numbers.tolist()}).json()["predictions"]
    expected = [list(one["probabilities"].values()) for one in said]
    np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
