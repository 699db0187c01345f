"""Log lines: one JSON object each, so that whatever a field holds, a line stays one line."""

import logging
import sys
from contextlib import suppress
from threading import Lock
from typing import TextIO

import structlog


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


def configure_logs(level: int = logging.INFO) -> None:
    """Send structlog's events, and the libraries' warnings, to stderr; called at a process's entrance."""
    lines = Lines(sys.stderr)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=True)],
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
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
