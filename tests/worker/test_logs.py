"""Log lines go out whole, or not at all."""

import io
from contextlib import suppress

from worker.logs import Lines


def test_a_line_is_written_whole_and_at_once() -> None:
    stream = io.StringIO()
    Lines(stream).info("one line")
    assert stream.getvalue() == "one line\n"


def test_a_line_that_finds_no_room_ends_nobody() -> None:
    went_on = False
    with suppress(OSError), open("/dev/full", "w") as full:  # its last bytes, at the end, find no room either
        Lines(full).warning("where to?")
        went_on = True
    assert went_on
