"""The examples of the standard, read as it says: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from trainshed.client.server_sent_events import Message, parse


def test_lines_of_data_are_joined_and_a_block_without_data_is_nothing() -> None:
    text = "data: YHOO\ndata: +2\ndata: 10\n\nid: 7\n\n"
    assert list(parse(text.split("\n"))) == [Message("", "message", "YHOO\n+2\n10")]


def test_an_id_holds_until_the_next_one() -> None:
    text = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert list(parse(text.split("\n"))) == [
        Message("1", "message", "first event"),
        Message("", "message", "second event"),
        Message("", "message", " third event"),
    ]


def test_empty_data_is_an_event_and_an_unfinished_one_is_not() -> None:
    assert list(parse(["data", "", "data", "data", "", "data:"])) == [
        Message("", "message", ""),
        Message("", "message", "\n"),
    ]


def test_an_event_has_the_name_it_was_given() -> None:
    text = "event: add\ndata: 73857293\n\nretry: 2000\n: heartbeat\n\nevent: done\nid: 9\ndata: {}\n\n"
    assert list(parse(text.split("\n"))) == [Message("", "add", "73857293"), Message("9", "done", "{}")]
