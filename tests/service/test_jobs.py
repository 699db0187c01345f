"""A job is queued, polled, waited for and cancelled."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.service.running import Running
from tests.service.shape import assert_problem
from tests.service.work import Work

Submit = Callable[..., str]


def test_a_submitted_job_is_queued_with_every_default_filled_in(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={"data": {"train": "iris", "target": "label"}})
    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["done"], job["attempt"], job["error"], job["result"]) == (
        "queued",
        False,
        0,
        None,
        None,
    )
    assert job["spec"]["optimizer"]["type"] == "adam" and job["spec"]["training"]["epochs"] == 20
    assert job["timeline"][0]["state"] == "queued"
    assert client.get(answer.headers["location"]).json() == job


def test_a_poll_that_finds_nothing_new_is_answered_without_a_body(client: httpx.Client, job: Submit) -> None:
    path = f"/v1/jobs/{job()}"
    tag = client.get(path).headers["etag"]
    for held in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        answer = client.get(path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    client.post(f"{path}/cancel")
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["etag"] != tag


def test_pages_are_newest_first_and_may_be_of_one_state(client: httpx.Client, job: Submit) -> None:
    ids = [job(name=f"job {number}") for number in range(3)]
    client.post(f"/v1/jobs/{ids[1]}/cancel")
    queued = client.get("/v1/jobs", params={"state": "queued", "limit": 2}).json()
    assert [one["id"] for one in queued["data"]] == [ids[2], ids[0]]
    cancelled = client.get("/v1/jobs", params={"state": "cancelled", "limit": 1}).json()
    assert [one["id"] for one in cancelled["data"]] == [ids[1]]
    after = client.get("/v1/jobs", params={"after": ids[2], "limit": 1}).json()
    assert [one["id"] for one in after["data"]] == [ids[1]] and after["has_more"]


def test_a_queued_job_is_cancelled_at_once_and_only_once(client: httpx.Client, job: Submit) -> None:
    path = f"/v1/jobs/{job()}"
    answer = client.post(f"{path}/cancel")
    assert (answer.status_code, answer.json()["state"], answer.json()["done"]) == (202, "cancelled", True)
    assert client.post(f"{path}/cancel").json() == answer.json()
    problem = assert_problem(client.post(f"{path}/pause"), 409)
    assert "cancelled" in problem["detail"]


def test_a_running_job_confirms_that_it_will_be_cancelled(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    claim = work.claim(job_id)
    answer = client.post(f"/v1/jobs/{job_id}/cancel").json()
    assert (answer["state"], answer["pending"]) == ("running", "cancel")
    work.store.work_items.confirm_cancel(claim)
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "cancelled"


def test_a_failed_job_says_what_to_change(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    work.fail(work.claim(job_id))
    answer = client.get(f"/v1/jobs/{job_id}").json()
    assert answer["state"] == "failed"
    assert answer["error"] == {
        "code": "diverged",
        "message": "the cost became NaN",
        "param": "/optimizer/learning_rate",
        "hint": None,
    }


def test_a_long_poll_returns_when_the_job_ends(running: Running, client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    claim = work.claim(job_id)
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(lambda: client.get(f"/v1/jobs/{job_id}", params={"wait": 60}).json())
        running.await_watchers(1)
        work.fail(claim)
        failed = time.monotonic()
        assert poll.result()["done"] and time.monotonic() - failed < 30


def test_a_long_poll_returns_when_its_time_is_over(client: httpx.Client, job: Submit) -> None:
    started = time.monotonic()
    answer = client.get(f"/v1/jobs/{job()}", params={"wait": 0.3}).json()
    assert not answer["done"] and 0.3 <= time.monotonic() - started < 30


def test_a_model_is_asked_too_early(client: httpx.Client, job: Submit) -> None:
    problem = assert_problem(client.post(f"/v1/jobs/{job()}/predict", json={"rows": [[1, 2, 3, 4]]}), 409)
    assert problem["code"] == "no_model" and "queued" in problem["detail"]


def test_a_list_that_is_as_it_was_still_says_what_it_varies_with(client: httpx.Client) -> None:
    known = client.get("/v1/jobs")
    unchanged = client.get("/v1/jobs", headers={"If-None-Match": known.headers["etag"]})
    assert unchanged.status_code == 304
    assert "Accept" in known.headers["vary"] and "Accept" in unchanged.headers["vary"]
