"""Streams of events: read as the standard says (https://html.spec.whatwg.org/multipage/server-sent-events.html), and
taken up where they broke."""

import json
import time

import pytest

from tests.stack.scripted import HANG_UP, Answer, answering
from trainshed import Client, NotFound, Unreachable

DONE = "id: 4\nevent: done\ndata: {}\n\n".format(
    json.dumps({"state": "succeeded", "attempt": 1, "finished_at": "2026-01-01T00:00:00Z"})
)


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """How long the client would have waited; it does not."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def stream(text: str) -> Answer:
    return Answer(body=text.encode(), headers={"Content-Type": "text/event-stream"})


def sent(number: int, text: str = "") -> str:
    event = {"seq": number, "type": "epoch", "at": "2026-01-01T00:00:00Z", "attempt": 1, "data": {"text": text}}
    return f"id: {number}\nevent: epoch\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"


def read(*answers: Answer, after: int = 0):
    with answering(answers) as script, Client(script.url) as client:
        return list(client.jobs.stream("job_1", after=after)), script.asked


def test_comments_and_heartbeats_are_no_events() -> None:
    text = ": events\nretry: 2000\n\n: heartbeat\n\n" + sent(1) + ": heartbeat\n\n\n\n" + sent(2) + DONE
    events, _ = read(stream(text))
    assert [event["seq"] for event in events] == [1, 2, 4]


def test_done_carries_the_job_and_when_it_ended() -> None:
    events, _ = read(stream(sent(1) + DONE))
    assert events[-1] == {
        "seq": 4,
        "type": "done",
        "at": "2026-01-01T00:00:00Z",
        "attempt": 1,
        "data": {"state": "succeeded", "attempt": 1, "finished_at": "2026-01-01T00:00:00Z"},
    }


def test_data_may_be_of_several_lines_and_a_space_be_missing() -> None:
    text = 'id:3\nevent:epoch\ndata:{"seq": 3,\ndata: "type": "epoch", "data": {}}\nunknown: field\n\n'
    events, _ = read(stream(text + DONE))
    assert events[0] == {"seq": 3, "type": "epoch", "data": {}}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_end_as_the_standard_says_and_nowhere_else(end) -> None:
    events, _ = read(stream((sent(1, "a\u2028b\u0085c") + DONE).replace("\n", end)))
    assert events[0]["data"] == {"text": "a\u2028b\u0085c"}


def test_what_breaks_is_taken_up_behind_the_last_whole_event() -> None:
    cut = sent(2)[:-20]
    for broken in (stream(sent(1) + cut), Answer(body=(sent(1) + cut).encode(), headers=stream("").headers, missing=9)):
        events, asked = read(broken, stream(sent(2) + sent(3) + DONE))
        assert [event["seq"] for event in events] == [1, 2, 3, 4]
        assert [request.headers.get("Last-Event-ID") for request in asked] == [None, "1"]


def test_a_stream_that_brings_something_may_break_as_often_as_it_likes(pauses) -> None:
    pieces = [stream(sent(number)) for number in range(1, 30)]
    events, asked = read(*pieces, stream(DONE))
    assert [event["seq"] for event in events[:-1]] == [*range(1, 30)] and len(asked) == 30
    assert pauses == []


@pytest.mark.parametrize("first", [HANG_UP, stream(""), Answer(body=b"<html>", headers={"Content-Type": "text/html"})])
def test_one_that_brings_nothing_is_given_up(first, pauses) -> None:
    with answering([first]) as script, Client(script.url) as client:
        with pytest.raises(Unreachable):
            list(client.jobs.stream("job_1"))
        assert 4 <= len(pauses) == len(script.asked) - 1 <= 8


def test_a_service_that_is_started_anew_is_waited_for() -> None:
    events, asked = read(stream(sent(1)), *[HANG_UP] * 6, stream(DONE))
    assert [event["seq"] for event in events] == [1, 4] and len(asked) == 8


def test_who_has_seen_the_end_is_told_nothing_more() -> None:
    assert read(Answer(204, b""), after=4)[0] == []


def test_an_unknown_job_is_said_at_once(pauses) -> None:
    with pytest.raises(NotFound, match="no such job"):
        read(Answer(404, b'{"title": "no such job"}'))
    assert pauses == []


def test_who_stops_listening_ends_the_stream() -> None:
    with answering([stream(sent(1) + sent(2) + DONE)]) as script, Client(script.url) as client:
        events = client.jobs.stream("job_1")
        assert next(events)["seq"] == 1
        events.close()  # type: ignore[attr-defined]
        assert list(events) == [] and len(script.asked) == 1
