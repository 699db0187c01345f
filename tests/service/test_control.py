"""A job is paused, resumed, stopped, changed, run again, compared and deleted over HTTP."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from engine import CheckpointMade, Finished, JobSpec, Network, Save, load_sample, prepare, train
from tests.service.shape import assert_problem
from tests.service.work import Work
from worker.domain.jobs import Progress, Saved
from worker.domain.principals import LOCAL
from worker.domain.work_items import Claim
from worker.settings import Settings
from worker.store import SavedModel
from worker.workspace import Workspace

Submit = Callable[..., str]
IRIS = {"train": "iris", "target": "label"}


@pytest.fixture(autouse=True)
def nothing_left(backend: Workspace) -> Iterator[None]:
    """Jobs of one test are not ahead in the queue of another."""
    yield
    listed = backend.jobs.page(limit=1000).data
    for job in backend.jobs.find([version.id for version in listed]).values():
        if not job.done:
            backend.jobs.cancel(job.id)


def finished(work: Work, claim: Claim, weights: str = "b" * 64, sha256: str = "a" * 64) -> None:
    work.store.training_log.finish(claim, SavedModel("models/x", sha256, weights), {"dev": {}}, stop_reason="completed")


def checkpointed(work: Work, claim: Claim, epoch: int, revision: int = 0, sha256: str = "a" * 64) -> int:
    file = f"checkpoints/{claim.item_id}-{epoch}"
    return work.store.training_log.checkpoint(claim, Saved(epoch, epoch, "control", file, sha256, 9, revision)).number


def trained(folder: Path, claim: Claim) -> tuple[str, str]:
    """The SHA-256 of a checkpoint and of a model that a run on iris leaves where `checkpointed`, `finished` name it."""
    spec = JobSpec.model_validate({"data": IRIS, "training": {"epochs": 1}, "checks": {"gradients": []}})
    data = prepare(spec.data, {"iris": load_sample("iris")}, dtype=spec.precision)
    events = train(Network.of(spec, data.preprocessor), spec, data)
    files = folder / f"checkpoints/{claim.item_id}-1", folder / "models/x"
    event, answer = next(events), None
    while not isinstance(event, Finished):
        if isinstance(event, CheckpointMade):
            files[0].parent.mkdir(exist_ok=True)
            event.checkpoint.save(files[0])
        event, answer = events.send(answer), Save() if answer is None else None
    files[1].parent.mkdir(exist_ok=True)
    event.model.save(files[1])
    return tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def test_a_queued_job_rests_and_goes_on(client: httpx.Client, job: Submit) -> None:
    path = f"/v1/jobs/{job()}"
    for _ in range(2):
        paused = client.post(f"{path}/pause")
        assert (paused.status_code, paused.json()["state"], paused.json()["pending"]) == (202, "paused", None)
    assert paused.json()["waiting_reason"] == "paused"
    for _ in range(2):
        resumed = client.post(f"{path}/resume")
        assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    problem = assert_problem(client.post(f"{path}/stop"), 409)
    assert problem["code"] == "nothing_to_keep" and "queued" in problem["detail"]


def test_a_running_job_confirms_what_it_was_asked(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    path, claim = f"/v1/jobs/{job_id}", work.claim(job_id)
    asked = client.post(f"{path}/pause").json()
    assert (asked["state"], asked["pending"]) == ("running", "pause")
    checkpointed(work, claim, 1)
    work.store.work_items.release(claim, "resumed")
    assert client.get(path).json()["state"] == "paused"
    stopping = client.post(f"{path}/stop").json()
    assert (stopping["state"], stopping["pending"]) == ("queued", "stop")
    problem = assert_problem(client.post(f"{path}/resume"), 409)
    assert problem["code"] == "control_pending" and "queued" in problem["detail"]
    finished(work, work.claim(job_id))
    for control in ("pause", "resume", "cancel"):
        assert "succeeded" in assert_problem(client.post(f"{path}/{control}"), 409)["detail"]
    timeline = client.get(f"{path}/timeline").json()
    assert [period["state"] for period in timeline["data"]] == [
        "queued", "running", "paused", "queued", "running", "succeeded",
    ]  # fmt: skip
    assert all(period["seconds"] >= 0 for period in timeline["data"][:-1]) and timeline["data"][-1]["until"] is None
    marks = [mark["type"] for mark in timeline["marks"]]
    assert marks == ["pause_requested", "checkpoint", "resumed"]


def test_checkpoints_are_listed(client: httpx.Client, job: Submit, work: Work) -> None:
    claim = work.claim(job())
    checkpointed(work, claim, 2)
    [checkpoint] = client.get(f"/v1/jobs/{claim.item_id}/checkpoints").json()["data"]
    assert (checkpoint["number"], checkpoint["epoch"], checkpoint["kind"], checkpoint["bytes"]) == (1, 2, "control", 9)


def test_progress_is_a_share_of_the_whole(client: httpx.Client, job: Submit, work: Work) -> None:
    claim = work.claim(job())
    assert client.get(f"/v1/jobs/{claim.item_id}").json()["progress"] is None
    work.store.training_log.record(claim, 1, progress=Progress(30, 120, 900.0, 12.5, True, 1, 5), epoch=1)
    assert client.get(f"/v1/jobs/{claim.item_id}").json()["progress"] == {
        "epoch": 1,
        "epochs": 3,
        "step": 30,
        "steps": 120,
        "fraction": 0.25,
        "examples_per_second": 900.0,
        "eta_seconds": 12.5,
        "eta_at_most": True,
        "epochs_since_best": 1,
        "patience": 5,
    }


def test_urgent_jobs_are_ahead_in_the_queue(client: httpx.Client, job: Submit, work: Work) -> None:
    usual, urgent, idle = job(), job(priority=9), job(priority=0)
    positions = [client.get(f"/v1/jobs/{job_id}").json()["queue_position"] for job_id in (usual, urgent, idle)]
    assert positions == [2, 1, 3]
    claim = work.store.work_items.claim_next(usual, "worker_by_hand", ["train"])
    assert claim is not None
    assert claim.item_id == urgent
    problem = assert_problem(
        client.post("/v1/jobs", json={"data": {"train": "iris", "target": "label"}, "priority": 10}), 422
    )
    assert problem["errors"][0]["pointer"] == "/priority"


def test_a_change_is_a_revision_with_before_and_after(client: httpx.Client, job: Submit, work: Work) -> None:
    claim = work.claim(job())
    path = f"/v1/jobs/{claim.item_id}/hyperparameters"
    known = client.get(path)
    assert known.json()["values"]["/optimizer/learning_rate"] == 0.001 and known.json()["data"] == []
    patch = {"optimizer": {"learning_rate": 0.01}, "training": {"epochs": 9}, "note": "too slow"}
    for kind in ("application/json", "application/merge-patch+json"):
        headers = {"Content-Type": kind, "If-Match": known.headers["etag"]}
        answer = client.patch(path, content=httpx.Request("PATCH", "http://x", json=patch).content, headers=headers)
        if kind == "application/json":
            assert answer.status_code == 202, answer.text
            made = answer.json()
            assert client.get(path).headers["etag"] == answer.headers["etag"]
        else:
            assert assert_problem(answer, 412)["code"] == "changed_since"
    assert made["revision"] == 1 and made["spec"]["training"]["epochs"] == 9
    [revision] = made["data"]
    assert revision["before"] == {"/optimizer/learning_rate": 0.001, "/training/epochs": 3}
    assert revision["after"] == {"/optimizer/learning_rate": 0.01, "/training/epochs": 9}
    assert (revision["note"], revision["who"], revision["effective_epoch"]) == ("too slow", "127.0.0.1", None)
    assert revision["patch"] == {"optimizer": {"learning_rate": 0.01}, "training": {"epochs": 9}}
    number = checkpointed(work, claim, 1)
    work.store.training_log.note_applied(claim, 1, 2, number)
    [applied] = client.get(path).json()["data"]
    assert (applied["effective_epoch"], applied["checkpoint"]) == (2, number)
    assert client.get(f"/v1/jobs/{claim.item_id}").json()["epochs"] == 9
    same = client.patch(path, json={"training": {"epochs": 9}})
    assert (same.status_code, same.json()["revision"]) == (202, 1)


def test_the_job_s_own_etag_will_do_and_anything_else_will_not(client: httpx.Client, job: Submit) -> None:
    path = f"/v1/jobs/{job()}"
    tag = client.get(path).headers["etag"]
    patch = {"optimizer": {"learning_rate": 0.02}}
    assert_problem(client.patch(f"{path}/hyperparameters", json=patch, headers={"If-Match": '"other"'}), 412)
    assert client.patch(f"{path}/hyperparameters", json=patch, headers={"If-Match": tag}).status_code == 202
    assert_problem(client.patch(f"{path}/hyperparameters", json=patch, headers={"If-Match": tag}), 412)


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"seed": 1}, "/seed"),
        ({"loss": {"type": "mean_squared_error"}}, "/loss"),
        ({"layers": [{"type": "dense", "units": 9}]}, "/layers"),
        ({"data": {"target": "sepal"}}, "/data/target"),
        ({"training": {"epochs": 0}}, "/training/epochs"),
        ({"training": {"epochs": 99_000_000}}, "/training/epochs"),
        ({"optimizer": {"learning_rat": 0.1}}, "/optimizer/learning_rat"),
        ({"note": 7}, "/note"),
        ([], ""),
    ],
)
def test_what_cannot_change_is_refused_by_name(client: httpx.Client, job: Submit, patch: object, pointer: str) -> None:
    path = f"/v1/jobs/{job()}/hyperparameters"
    problem = assert_problem(client.patch(path, json=patch), 422)
    assert problem["errors"][0]["pointer"] == pointer
    assert client.get(path).json()["revision"] == 0


def test_keep_prob_is_reached_through_its_layer(client: httpx.Client, job: Submit) -> None:
    layers = [{"type": "dense", "units": 4}, {"type": "relu"}, {"type": "dropout", "keep_prob": 0.8}]
    path = f"/v1/jobs/{job(layers=layers)}/hyperparameters"
    layers[2] = {"type": "dropout", "keep_prob": 0.5}
    [revision] = client.patch(path, json={"layers": layers}).json()["data"]
    assert revision["after"] == {"/layers/2/keep_prob": 0.5}


def test_fewer_epochs_than_are_finished_are_none(client: httpx.Client, job: Submit, work: Work) -> None:
    claim = work.claim(job())
    work.record(claim, [{"epoch": 2}], epoch=2)
    problem = assert_problem(
        client.patch(f"/v1/jobs/{claim.item_id}/hyperparameters", json={"training": {"epochs": 1}}), 422
    )
    assert problem["errors"][0]["pointer"] == "/training/epochs"


def test_going_back_to_a_checkpoint_undoes_what_came_behind_it(client: httpx.Client, job: Submit, work: Work) -> None:
    claim = work.claim(job())
    path = f"/v1/jobs/{claim.item_id}"
    client.patch(f"{path}/hyperparameters", json={"optimizer": {"learning_rate": 0.5}})
    number = checkpointed(work, claim, 1)
    work.store.training_log.note_applied(claim, 1, 2, number)
    checkpointed(work, claim, 2, revision=1)
    assert_problem(client.post(f"{path}/resume", json={"checkpoint": number}), 409)
    client.post(f"{path}/pause")
    work.store.work_items.release(claim, "resumed")
    assert_problem(client.post(f"{path}/resume", json={"checkpoint": 7}), 404)
    back = client.post(f"{path}/resume", json={"checkpoint": number}).json()
    assert (back["state"], back["epoch"], back["revision"]) == ("queued", 1, 0)
    known = client.get(f"{path}/hyperparameters").json()
    assert known["values"]["/optimizer/learning_rate"] == 0.001
    assert known["data"][0]["undone_at"] is not None


def test_a_job_starts_from_what_another_has_learned(
    client: httpx.Client, job: Submit, work: Work, settings: Settings
) -> None:
    origin = job()
    claim = work.claim(origin)
    checkpoint_sha256, model_sha256 = trained(settings.data_dir, claim)

    def branch(checkpoint: object, **data: object) -> httpx.Response:
        start = {"start_from": {"job": origin, "checkpoint": checkpoint}}
        return client.post("/v1/jobs", json={"data": IRIS | data, **start})

    for which in (1, "best", "last"):
        problem = assert_problem(branch(which), 422)
        assert problem["errors"][0]["pointer"] == "/start_from/checkpoint"
    number = checkpointed(work, claim, 1, sha256=checkpoint_sha256)
    for which in (number, "best", "last"):
        answer = branch(which)
        assert answer.status_code == 201, answer.text
        assert work.store.on_behalf_of(LOCAL).jobs.inputs(answer.json()["id"])["checkpoint"] == {
            origin: f"{origin}/{number}"
        }
    finished(work, claim, sha256=model_sha256)
    assert work.store.on_behalf_of(LOCAL).jobs.inputs(branch("best").json()["id"])["checkpoint"] == {
        origin: f"{origin}/model"
    }
    problem = assert_problem(branch("best", normalize="minmax"), 422)
    assert problem["errors"][0]["pointer"] == "/data/normalize" and "leave data.normalize out" in problem["detail"]
    problem = assert_problem(client.delete(f"/v1/jobs/{origin}"), 409)
    assert "starts from it" in problem["detail"]
    gone = "job_00000000000000000000000000000000"
    spec = {"data": IRIS, "start_from": {"job": gone}}
    assert assert_problem(client.post("/v1/jobs", json=spec), 422)["errors"][0]["pointer"] == "/start_from/job"


def test_a_rerun_is_the_same_job_and_says_what_came_of_it(client: httpx.Client, job: Submit, work: Work) -> None:
    origin = job(seed=7)
    finished(work, work.claim(origin))
    answer = client.post(f"/v1/jobs/{origin}/rerun")
    again = answer.json()
    assert answer.status_code == 201 and answer.headers["location"] == f"/v1/jobs/{again['id']}"
    known = client.get(f"/v1/jobs/{origin}").json()
    assert all(again[field] == known[field] for field in ("spec", "seed", "data_hash"))
    assert again["rerun_of"] == origin
    finished(work, work.claim(again["id"]), weights="c" * 64)
    result = client.get(f"/v1/jobs/{again['id']}").json()["result"]
    assert result["reproduces"] == {"job": origin, "agrees": False}


def test_jobs_are_compared_where_they_differ(client: httpx.Client, job: Submit, work: Work) -> None:
    first, second = job(seed=1, name="a"), job(optimizer={"type": "momentum"}, name="b")
    for job_id, epochs in ((first, 3), (second, 2)):
        rows = [{"epoch": epoch, "train_cost": 1.0 / epoch} for epoch in range(1, epochs + 1)]
        work.record(work.claim(job_id), rows, epoch=epochs)
        work.batch = 0
    answer = client.get("/v1/compare", params={"jobs": f"{first}, {second}"}).json()
    values = {difference["pointer"]: difference["values"] for difference in answer["differences"]}
    assert values["/seed"] == [1, 0] and values["/optimizer/type"] == ["adam", "momentum"]
    assert values["/optimizer/beta2"] == [0.999, None] and "/training/epochs" not in values and "/name" not in values
    assert [one["id"] for one in answer["jobs"]] == [first, second]
    assert answer["curves"]["epochs"] == [1, 2, 3]
    assert answer["curves"]["series"]["train_cost"] == [[1.0, 0.5, 1 / 3], [1.0, 0.5, None]]
    assert_problem(client.get("/v1/compare", params={"jobs": first}), 422)
    gone = "job_00000000000000000000000000000000"
    assert_problem(client.get("/v1/compare", params={"jobs": f"{first},{gone}"}), 404)


def test_a_job_that_is_done_can_be_deleted(client: httpx.Client, job: Submit, work: Work, backend: Workspace) -> None:
    job_id = job()
    claim = work.claim(job_id)
    assert "running" in assert_problem(client.delete(f"/v1/jobs/{job_id}"), 409)["detail"]
    folder = backend.settings.data_dir / "models"
    folder.mkdir(exist_ok=True)
    (folder / "mine").write_bytes(b"model")
    work.store.training_log.finish(claim, SavedModel("models/mine", "a" * 64, "b" * 64), {}, stop_reason="completed")
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert not (folder / "mine").exists()
    assert_problem(client.get(f"/v1/jobs/{job_id}"), 404)
    assert_problem(client.delete(f"/v1/jobs/{job_id}"), 404)


def test_workers_say_where_they_are_and_what_they_do(client: httpx.Client, work: Work) -> None:
    work.store.workers.seen(
        "worker_1", host="here", pid=7, queues=("cpu",), job_id=None, device="cpu", memory_bytes=5, threads=2
    )
    worker = next(one for one in client.get("/v1/workers").json()["data"] if one["id"] == "worker_1")
    assert (worker["id"], worker["host"], worker["pid"], worker["queues"]) == ("worker_1", "here", 7, ["cpu"])
    assert (worker["device"], worker["memory_bytes"], worker["threads"], worker["job"]) == ("cpu", 5, 2, None)
    work.store.workers.gone("worker_1")
