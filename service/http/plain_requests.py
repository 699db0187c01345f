"""What the short ways take: a small body of JSON, whole, from a client that wants JSON back."""

from collections.abc import Sequence

from starlette.types import Message, Receive

MOST_BYTES = 32 * 1024
ACCEPTED = (b"*/*", b"application/json")


def is_plain(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """JSON of a known and small length, to be answered in JSON."""
    kind = length = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value
        elif name == b"content-length":
            length = value
        elif name in (b"content-encoding", b"expect") or (name == b"accept" and value not in ACCEPTED):
            return False
    return kind == b"application/json" and length.isdigit() and int(length) <= MOST_BYTES


def whole_body(message: Message) -> bytes | None:
    """The body, if the first message has all of it."""
    if message["type"] != "http.request" or message.get("more_body"):
        return None
    body: bytes = message["body"]
    return body


def again(first: Message, receive: Receive) -> Receive:
    """The messages from the first one on."""
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
