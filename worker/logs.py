"""Log lines: one JSON object each, so that whatever a field holds, a line stays one line."""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TextIO

import structlog
from pydantic_core import to_json


class Lines:
    """A logger that writes to a stream, one whole line at a time, from any thread.

    A line that finds no room is dropped: a disk full of logs must not end the thread that has something to say.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._writing = Lock()

    def msg(self, line: str) -> None:
        """Write the line and flush it; an `OSError` is passed over."""
        with self._writing, suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()

    log = debug = info = warning = error = critical = exception = fatal = msg


def as_line(event: Mapping[str, Any], **_: object) -> str:
    """The event as JSON in ASCII: no letter of a field ends the line."""
    with suppress(ValueError):  # half a character, which JSON can hold and UTF-8 cannot
        line = to_json(event, fallback=repr).decode()
        if line.isascii():
            return line
    return json.dumps(event, default=repr)


class Quick:
    """A logger for what is logged thousands of times a second: the same lines without the chain that makes the others.

    Until `configure_logs` says where they go it passes its events on to structlog.
    """

    lines: Lines | None = None
    level = logging.INFO

    def info(self, event: str, /, **fields: object) -> None:
        """Write the event."""
        if Quick.lines is None:
            structlog.get_logger().info(event, **fields)
        elif Quick.level <= logging.INFO:
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            Quick.lines.msg(as_line({**fields, "event": event, "level": "info", "timestamp": now}))


def configure_logs(level: int = logging.INFO) -> None:
    """Send structlog's events, and the libraries' warnings, to stderr; called at a process's entrance."""
    lines = Quick.lines = Lines(sys.stderr)
    Quick.level = level
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(as_line)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(as_line),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
