"""Log lines go out whole, or not at all; for people on a terminal, as JSON elsewhere."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from worker.process.logs import Lines


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


SPEAKER = """
import logging, sys, warnings
import structlog
from worker.process.logs import Quick, configure_logs
configure_logs(*sys.argv[1:])
log = structlog.get_logger("worker")
log.debug("looked")
log.info("said", path="a\\nb\\x1b[2J")
Quick().info("request", status=200)
logging.getLogger("celery.worker").warning("a library\\x1b[2J says")
logging.getLogger("uvicorn.error").info("a library chats")
warnings.warn("something is old")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def spoken(*settings: str, terminal: bool = False, **variables: str) -> str:
    """What a process writes to stderr that logs with these settings, on a terminal or into a pipe."""
    try:
        ours, its = os.openpty() if terminal else os.pipe()
    except OSError as error:
        pytest.skip(f"this machine has no pseudo-terminals: {error}")
    command = [sys.executable, "-c", SPEAKER, *settings]
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variables
    process = subprocess.Popen(command, stderr=its, env=variables, cwd=Path(__file__).parents[2])
    os.close(its)
    pieces = []
    with suppress(OSError):  # how a terminal says that the other end is gone
        while piece := os.read(ours, 65536):
            pieces.append(piece)
    os.close(ours)
    assert process.wait() == 0
    return b"".join(pieces).decode()


def test_elsewhere_than_on_a_terminal_every_line_is_json() -> None:
    events = [json.loads(line) for line in spoken().splitlines()]
    said, request, library, warned, failed = events
    assert said == {"event": "said", "level": "info", "path": "a\nb\x1b[2J", "timestamp": said["timestamp"]}
    assert (request["event"], request["status"]) == ("request", 200)
    assert (library["event"], library["level"]) == ("a library\x1b[2J says", "warning")
    assert "something is old" in warned["event"]
    assert failed["level"] == "error" and "ZeroDivisionError" in failed["exception"]
    assert datetime.fromisoformat(said["timestamp"]).utcoffset() == timedelta()


def test_on_a_terminal_they_are_for_people() -> None:
    lines = spoken(terminal=True).splitlines()
    plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert plain != lines, "there are no colors"
    assert "\x1b" not in "".join(plain), "a field steers the terminal"
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info +\] said +path=a\\nb\\x1b\[2J", plain[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info +\] request +status=200", plain[1])
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[warning +\] a library\\x1b\[2J says", plain[2].rstrip())
    assert "ZeroDivisionError: division by zero" in plain[-1]


def test_the_level_and_the_form_are_settings() -> None:
    everything = spoken("debug", "console", terminal=True, NO_COLOR="1")
    assert "\x1b" not in everything
    assert "looked" in everything and "a library chats" in everything
    worst = [json.loads(line)["event"] for line in spoken("error", "json", terminal=True).splitlines()]
    assert worst == ["failed"]
