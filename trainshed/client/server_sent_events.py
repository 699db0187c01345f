"""The wire format of an event stream: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One event as it was sent; `id` is that of the last message which had one."""

    id: str
    event: str
    data: str


def parse(lines: Iterable[str]) -> Iterator[Message]:
    """The messages in a stream of lines without their ends; comments (heartbeats) are dropped."""
    last_id, event, data = "", "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield Message(last_id, event or "message", "\n".join(data))
            event, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "id":
                last_id = value
            case "event":
                event = value
            case "data":
                data.append(value)
