"""A job's progress comes as pages, as CSV, and as it happens."""

import csv
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx
import pytest

from service.http.client_timeouts import Patience
from tests.service.running import Running, served
from tests.service.shape import assert_problem
from tests.service.work import Work
from worker.backend import Backend
from worker.settings import Settings

Submit = Callable[..., str]


def row(epoch: int) -> dict[str, float | int | None]:
    cost = None if epoch == 2 else 1 / epoch
    return {"epoch": epoch, "step": 10 * epoch, "learning_rate": 0.001, "train_cost": cost, "dev_cost": 0.5}


def undated(one: dict[str, object]) -> dict[str, object]:
    """The row as it was recorded; whatever comes over HTTP has a time."""
    assert abs(datetime.fromisoformat(str(one["at"])).timestamp() - time.time()) < 60
    return {name: value for name, value in one.items() if name != "at"}


def sse(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The events of a stream, by the rules of the HTML standard."""
    event: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = value.removeprefix(" ")


def test_metrics_are_paged_by_epoch(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    work.record(work.claim(job_id), [row(epoch) for epoch in range(1, 6)])
    path = f"/v1/jobs/{job_id}/metrics"
    page = client.get(path, params={"limit": 2, "after": 1}).json()
    assert [undated(one) for one in page["data"]] == [row(2), row(3)] and page["has_more"]
    page = client.get(path, params={"after": 4}).json()
    assert [undated(one) for one in page["data"]] == [row(5)] and not page["has_more"]
    tag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_metrics_as_csv_are_complete(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    work.record(work.claim(job_id), [row(epoch) for epoch in range(1, 3001)])
    for options in ({"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}):
        answer = client.get(f"/v1/jobs/{job_id}/metrics", **options)  # type: ignore[arg-type]
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [int(one["epoch"]) for one in rows] == list(range(1, 3001))
        assert rows[1]["train_cost"] == "" and float(rows[2]["train_cost"]) == 1 / 3


CHOICES: list[dict[str, object]] = [
    {"limit": 7},
    {"limit": 7, "after": 20},
    {"after": 25},
    {"max_points": 10},
    {"max_points": 10, "after": 12, "limit": 3},
    {"max_points": 12, "smoothing": 0.9},
    {"after": 5, "limit": 3, "smoothing": 0.5},
    {"after": 28, "smoothing": 0.5},
    {"after": 30},
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_metrics_as_csv_are_the_rows_that_json_has(
    client: httpx.Client, job: Submit, work: Work, choice: dict[str, object]
) -> None:
    job_id = job()
    work.record(work.claim(job_id), [row(epoch) for epoch in range(1, 31)])
    path = f"/v1/jobs/{job_id}/metrics"
    page = client.get(path, params=choice).json()
    answer = client.get(path, params={**choice, "format": "csv"})
    assert [typed(one) for one in csv.DictReader(io.StringIO(answer.text))] == page["data"]
    assert ("link" in answer.headers) == page["has_more"]
    assert answer.text.endswith("\r\n") and answer.text.startswith("epoch,step,learning_rate,train_cost,")


def typed(cells: dict[str, str]) -> dict[str, object]:
    """A CSV row as JSON has it."""
    return {name: text if name == "at" else json.loads(text) if text else None for name, text in cells.items()}


def test_the_pages_of_metrics_as_csv_are_linked(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    work.record(work.claim(job_id), [row(epoch) for epoch in range(1, 8)])
    url, epochs = client.base_url.join(f"/v1/jobs/{job_id}/metrics?limit=3"), []
    while True:
        answer = client.get(url, headers={"Accept": "text/csv"})
        epochs.append([int(one["epoch"]) for one in csv.DictReader(io.StringIO(answer.text))])
        if "next" not in answer.links:
            break
        url = answer.url.join(answer.links["next"]["url"])
        assert url.params.multi_items() == [("limit", "3"), ("after", str(epochs[-1][-1]))]
    assert epochs == [[1, 2, 3], [4, 5, 6], [7]]


def test_metrics_are_thinned_out_but_keep_their_extremes(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    rows = [row(epoch) for epoch in range(1, 501)]
    rows[300]["train_cost"] = 99.0
    work.record(work.claim(job_id), rows)
    thin = client.get(f"/v1/jobs/{job_id}/metrics", params={"max_points": 50}).json()["data"]
    assert len(thin) <= 50 and 99.0 in [one["train_cost"] for one in thin]


def test_events_are_paged_by_their_number(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    work.record(work.claim(job_id), events=["first", "second"])
    events = client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events][-2:] == ["first", "second"]
    behind = client.get(f"/v1/jobs/{job_id}/events", params={"after": len(events) - 1}).json()["data"]
    assert [event["type"] for event in behind] == ["second"]


def test_a_stream_follows_a_job_to_its_end(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    claim = work.claim(job_id)

    def go_on() -> None:
        work.record(claim, events=["live"])
        work.fail(claim)

    with client.stream("GET", f"/v1/jobs/{job_id}/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = sse(answer.iter_lines())
        first = next(events)
        assert first["id"] == "1"
        threading.Thread(target=go_on).start()
        rest = list(events)
    numbers = [int(event["id"]) for event in [first, *rest[:-1]]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "live" in [event["event"] for event in rest]
    assert rest[-1]["event"] == "done" and json.loads(rest[-1]["data"])["state"] == "failed"


def test_a_stream_goes_on_where_it_was_cut(client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    claim = work.claim(job_id)
    work.record(claim, events=["a", "b", "c"])
    work.fail(claim)
    path = f"/v1/jobs/{job_id}/stream"
    with client.stream("GET", path) as answer:
        everything = list(sse(answer.iter_lines()))
    for resumed in ({"headers": {"Last-Event-ID": "3"}}, {"params": {"after": 3}}):
        with client.stream("GET", path, **resumed) as answer:
            assert list(sse(answer.iter_lines())) == everything[3:]
    *_, last, done = [int(event["id"]) for event in everything]
    assert done == last + 1
    for seen, status in ((last, 200), (done, 204), (done + 7, 204)):  # only `done` itself ends it
        answer = client.get(path, headers={"Last-Event-ID": str(seen)})
        assert (answer.status_code, "event: done" in answer.text) == (status, status == 200)


def test_a_stream_of_a_job_that_lives_never_ends_by_its_number(client: httpx.Client, job: Submit) -> None:
    with client.stream("GET", f"/v1/jobs/{job()}/stream", headers={"Last-Event-ID": "1000"}) as answer:
        assert answer.status_code == 200


def test_a_stream_says_in_time_that_there_is_no_such_job(client: httpx.Client) -> None:
    assert_problem(client.get("/v1/jobs/job_00000000000000000000000000000000/stream"), 404)


def test_a_last_event_id_must_be_a_number(client: httpx.Client, job: Submit) -> None:
    problem = assert_problem(client.get(f"/v1/jobs/{job()}/stream", headers={"Last-Event-ID": "x"}), 422)
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["in"]) == ("/last-event-id", "header")


def test_streams_hold_no_threads(running: Running, client: httpx.Client, job: Submit, work: Work) -> None:
    job_id = job()
    claim = work.claim(job_id)

    def follow() -> str:
        with client.stream("GET", f"/v1/jobs/{job_id}/stream") as answer:
            return list(sse(answer.iter_lines()))[-1]["event"]

    with ThreadPoolExecutor(60) as pool:
        followers = [pool.submit(follow) for _ in range(60)]
        running.await_watchers(60)
        # More streams than the thread pool has threads, and a route that needs a thread still answers before they end.
        assert client.get("/v1/datasets").status_code == 200
        work.fail(claim)
        assert {follower.result(timeout=60) for follower in followers} == {"done"}


def test_no_more_streams_than_are_allowed(
    running: Running, client: httpx.Client, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.server.app.state.watchers, "capacity", 0)
    path = f"/v1/jobs/{job()}"
    assert_problem(client.get(f"{path}/stream"), 503)
    # A long poll need not wait: the client sees that the job is not done, and asks again.
    assert client.get(path, params={"wait": 30}).json()["state"] == "queued"


def test_streams_and_long_polls_end_with_the_service(opened: Backend, settings: Settings, job: Submit) -> None:
    job_id = job()
    with ThreadPoolExecutor(2) as pool:
        with served(opened, settings, Patience()) as service:
            path = f"{service.url}/v1/jobs/{job_id}"
            stream = pool.submit(lambda: httpx.get(f"{path}/stream", timeout=90).text)
            poll = pool.submit(lambda: httpx.get(path, params={"wait": 60}, timeout=90).json())
            service.await_watchers(2)
            ended = time.monotonic()
        assert time.monotonic() - ended < 30
        assert "event: done" not in stream.result() and poll.result()["state"] == "queued"
