"""Log lines: JSON for programs, colors for people at a terminal; whatever a field holds, a line stays one line."""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from os import environ
from threading import Lock
from typing import Any, TextIO

import structlog
from pydantic_core import to_json
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import TimeStamper
from structlog.typing import EventDict, Processor

from worker.settings import LogFormat, LogLevel


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

    Until `configure_logs` says where they go, and on a terminal, it passes its events on to structlog.
    """

    lines: Lines | None = None
    level = logging.INFO

    def info(self, event: str, /, **fields: object) -> None:
        """Write the event."""
        if Quick.level > logging.INFO:
            return
        if Quick.lines is None:
            structlog.get_logger().info(event, **fields)
        else:
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            Quick.lines.msg(as_line({**fields, "event": event, "level": "info", "timestamp": now}))


def configure_logs(level: LogLevel = "info", form: LogFormat = "auto") -> None:
    """Send our events, and what libraries log or warn of, to stderr; called at a process's entrance.

    Of libraries what is a warning or worse is logged, and with the level `debug` what they call information, too.
    """
    lines, least = Lines(sys.stderr), logging.getLevelNamesMapping()[level.upper()]
    terminal = sys.stderr.isatty()
    readable = form == "console" or (form == "auto" and terminal)
    Quick.lines, Quick.level = None if readable else lines, least
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        TimeStamper(fmt="%H:%M:%S", utc=False) if readable else TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Processor] = (
        [escape_controls, _console(colors=terminal and not environ.get("NO_COLOR"))]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(as_line)]
    )
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    libraries = logging.INFO if level == "debug" else max(logging.WARNING, least)
    logging.basicConfig(level=libraries, handlers=[handler], force=True)
    logging.captureWarnings(True)


def escape_controls(logger: object, method: str, event: EventDict) -> EventDict:
    """A text that would end the line, or steer the terminal, as Python would write it; not a traceback's."""
    return {
        name: repr(value)[1:-1] if isinstance(value, str) and name != "exception" and not value.isprintable() else value
        for name, value in event.items()
    }


def _console(*, colors: bool) -> ConsoleRenderer:
    """Time, level, event, fields; an exception as Python prints it."""
    return ConsoleRenderer(colors=colors, pad_event_to=18, sort_keys=False, exception_formatter=plain_traceback)
