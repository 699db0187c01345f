"""What the client sends again, what it does not, and how long it waits between."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.stack.scripted import HANG_UP, Answer, answering
from trainshed import Client, Conflict, NotFound, ProblemError, Unavailable, Unreachable

JOB = Answer(body=b'{"id": "job_1", "done": true, "state": "succeeded"}')
MODEL = Answer(body=b'{"predictions": [], "version": 1}')
BUSY = Answer(503, b"{}", {"Retry-After": "2"})
SPEC = {"data": {"train": "iris", "target": "label"}}

CREATING: dict[str, Callable[[Client], object]] = {
    "job": lambda client: client.jobs.submit(SPEC),
    "rerun": lambda client: client.jobs.rerun("job_1"),
    "gradient check": lambda client: client.gradient_checks.request("job_1"),
    "dataset": lambda client: client.datasets.upload("one", b"x\n1\n", "text/csv"),
    "parameters": lambda client: client.parameters.upload("one", b"PK", "application/x-npz"),
    "version": lambda client: client.models.register("one", "job_1"),
    "batch": lambda client: client.batches.submit("one", "iris"),
}
HARMLESS: dict[str, Callable[[Client], object]] = {
    "get": lambda client: client.jobs.get("job_1"),
    "set": lambda client: client.models.set_alias("one", "production", 1),
    "predict": lambda client: client.models.predict("one", [[1.0]]),
    "predict with a job": lambda client: client.jobs.predict("job_1", [[1.0]]),
    "validate": lambda client: client.jobs.validate(SPEC),
    "cancel": lambda client: client.jobs.cancel("job_1"),
}
ONCE: dict[str, Callable[[Client], object]] = {
    "roll back": lambda client: client.models.roll_back("one", "production"),
    "change": lambda client: client.jobs.change("job_1", {"optimizer": {"learning_rate": 0.1}}),
    "delete": lambda client: client.jobs.delete("job_1"),
    "resume": lambda client: client.jobs.resume("job_1"),
}


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """How long the client would have waited; it does not."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("ask", CREATING.values(), ids=CREATING)
def test_what_creates_is_sent_again_with_the_same_key_and_body(ask, pauses) -> None:
    with answering([HANG_UP, BUSY, JOB]) as script, Client(script.url) as client:
        ask(client)
    first, second, third = script.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == third.headers["Idempotency-Key"]
    assert first.body == second.body == third.body
    assert 0.1 <= pauses[0] <= 0.2 and pauses[1] == 2.0


def test_a_key_is_new_for_every_request_unless_the_caller_has_one() -> None:
    with answering([JOB]) as script, Client(script.url) as client:
        for key in (None, None, "mine"):
            client.jobs.submit(SPEC, key=key)
    keys = [asked.headers["Idempotency-Key"] for asked in script.asked]
    assert len(set(keys)) == 3 and keys[2] == "mine"


@pytest.mark.parametrize("ask", HARMLESS.values(), ids=HARMLESS)
def test_what_does_no_harm_twice_is_sent_again(ask) -> None:
    with answering([HANG_UP, MODEL]) as script, Client(script.url) as client:
        ask(client)
    assert len(script.asked) == 2


@pytest.mark.parametrize("first", [HANG_UP, BUSY], ids=["hung up", "busy"])
@pytest.mark.parametrize("ask", ONCE.values(), ids=ONCE)
def test_what_could_happen_twice_is_sent_once(ask, first) -> None:
    with answering([first, JOB]) as script, Client(script.url) as client:
        with pytest.raises((Unreachable, Unavailable)):
            ask(client)
        assert len(script.asked) == 1


@pytest.mark.parametrize("ask", [*ONCE.values(), *HARMLESS.values()], ids=[*ONCE, *HARMLESS])
def test_what_never_left_is_sent_again_whatever_it_is(ask, pauses) -> None:
    with Client("http://127.0.0.1:9", retries=3) as client, pytest.raises(Unreachable, match="trainshed serve"):
        ask(client)
    assert len(pauses) == 3


def test_pauses_grow_and_have_an_end(pauses) -> None:
    with answering([Answer(502, b"<html>bad gateway")]) as script, Client(script.url, retries=8) as client:
        with pytest.raises(ProblemError, match="502"):
            client.jobs.get("job_1")
        assert len(script.asked) == 9
    for number, pause in enumerate(pauses):
        assert min(5.0, 0.1 * 2**number) <= pause <= min(5.0, 0.1 * 2**number + 0.1)


def test_a_refusal_is_told_at_once(pauses) -> None:
    for status, kind in ((404, NotFound), (409, Conflict), (412, Conflict), (422, ProblemError), (500, ProblemError)):
        problem = json.dumps({"title": "no", "detail": "never", "code": "x"}).encode()
        with answering([Answer(status, problem)]) as script, Client(script.url) as client:
            with pytest.raises(kind, match="never") as caught:
                client.jobs.submit(SPEC)
            assert (caught.value.status, len(script.asked)) == (status, 1)
    assert pauses == []


def test_who_shall_come_back_in_an_hour_is_told_so(pauses) -> None:
    with answering([Answer(429, b"{}", {"Retry-After": "3600"})]) as script, Client(script.url) as client:
        with pytest.raises(Unavailable) as caught:
            client.jobs.get("job_1")
        assert (caught.value.retry_after, len(script.asked), pauses) == (3600.0, 1, [])


def test_the_time_to_come_back_may_be_a_date(pauses) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    with answering([Answer(503, b"{}", {"Retry-After": moment}), JOB]) as script, Client(script.url) as client:
        client.jobs.get("job_1")
    assert 5 < pauses[0] <= 8


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "Thu, 99 Foo 2026"])
def test_a_time_that_is_none_is_passed_over(value, pauses) -> None:
    with answering([Answer(503, b"{}", {"Retry-After": value}), JOB]) as script, Client(script.url) as client:
        client.jobs.get("job_1")
    assert len(script.asked) == 2 and pauses[0] <= 0.2


def test_a_request_whose_first_sending_is_still_at_work_waits_for_its_answer(pauses) -> None:
    busy = Answer(409, b'{"code": "key_in_flight", "title": "at work"}')
    with answering([busy, busy, JOB]) as script, Client(script.url) as client:
        assert client.jobs.submit(SPEC)["id"] == "job_1"
    assert len(script.asked) == 3 and sum(pauses) > 5


def test_a_file_is_sent_whole_each_time(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_bytes(b"x\n" + b"1\n" * 100_000)
    with answering([HANG_UP, BUSY, JOB]) as script, Client(script.url) as client:
        client.datasets.upload("numbers", file)
    assert [asked.body for asked in script.asked] == [file.read_bytes()] * 3


def test_a_download_that_breaks_is_begun_anew(tmp_path: Path) -> None:
    with answering([Answer(body=b"abc", missing=3), Answer(body=b"abcdef")]) as script, Client(script.url) as client:
        client.models.download("one", tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"abcdef" and len(script.asked) == 2


def test_retries_can_be_turned_off() -> None:
    with answering([BUSY, JOB]) as script, Client(script.url, retries=0) as client:
        with pytest.raises(Unavailable):
            client.jobs.get("job_1")
        assert len(script.asked) == 1
        assert client.ready()


def test_what_takes_too_long_is_not_begun_again() -> None:
    slow = Answer(seconds=0.5)
    with (
        answering([slow]) as script,
        Client(script.url, timeout=0.1) as client,
        pytest.raises(Unreachable, match="timed out"),
    ):
        client.models.explain("one", {"dataset": "iris"})
    assert len(script.asked) == 1


def test_who_waits_for_a_job_is_as_patient_as_the_poll_is_long() -> None:
    with answering([Answer(body=JOB.body, seconds=0.5)]) as script, Client(script.url, timeout=0.2) as client:
        assert client.jobs.wait("job_1")["state"] == "succeeded"
    assert len(script.asked) == 1
