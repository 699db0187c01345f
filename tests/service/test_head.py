"""HEAD is answered as GET is, without the body."""

from collections.abc import Callable

import httpx
import pytest

from tests.service.endpoints import READING, Endpoint
from tests.service.running import Running
from tests.service.work import Work
from tests.until import until

OWN = ("date", "x-request-id")
ACCEPTED = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("endpoint", READING, ids=str)
def test_head_has_the_headers_of_get_on_every_endpoint(client: httpx.Client, endpoint: Endpoint) -> None:
    got, head = client.get(endpoint.path, headers=ACCEPTED), client.head(endpoint.path, headers=ACCEPTED)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for one in (got, head):
        for name in OWN:
            one.headers.pop(name, None)
    assert head.headers == got.headers


def test_head_of_what_get_is_not_for_names_what_is(client: httpx.Client) -> None:
    answer = client.head("/v1/jobs/job_0/pause")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_head_of_a_poll_that_finds_nothing_new(client: httpx.Client, job: Callable[..., str]) -> None:
    path = f"/v1/jobs/{job()}"
    tag = client.head(path).headers["etag"]
    assert client.head(path, headers={"If-None-Match": tag}).status_code == 304
    assert tag == client.get(path).headers["etag"]


def test_head_of_a_stream_does_not_stream(running: Running, client: httpx.Client, job: Callable[..., str]) -> None:
    answer = client.head(f"/v1/jobs/{job()}/stream")  # of a job that is never done
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    until(lambda: not running.server.app.state.watchers.count)
    until(lambda: not running.server.server_state.tasks)


def test_head_of_a_download_says_how_large_it_is(client: httpx.Client, train: Callable[..., str]) -> None:
    client.post("/v1/models/head/versions", json={"job": train()}).raise_for_status()
    path = "/v1/models/head/versions/1/artifact"
    size = len(client.get(path).content)
    whole, part = client.head(path), client.head(path, headers={"Range": "bytes=0-9"})
    assert (whole.status_code, int(whole.headers["content-length"]), whole.content) == (200, size, b"")
    assert (part.status_code, part.headers["content-range"], part.content) == (206, f"bytes 0-9/{size}", b"")


def test_head_of_csv_that_is_written_as_it_goes(client: httpx.Client, job: Callable[..., str], work: Work) -> None:
    job_id = job()
    rows = [{"epoch": epoch, "train_cost": 1 / epoch} for epoch in range(1, 5001)]
    work.record(work.claim(job_id), rows)
    answer = client.head(
        f"/v1/jobs/{job_id}/metrics", params={"format": "csv"}, headers={"Accept-Encoding": "identity"}
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/csv")
