"""uvicorn's HTTP protocol with the time limits it lacks.

A connection that stays silent, sends half a head or half a body, drips a few bytes, or never reads its answer is
closed. A slow client is told from a slow disk: while the application has paused reading, the client is not to blame.

This is private ground of uvicorn, tried with 0.50 to 0.54.
"""

import asyncio
from asyncio.events import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.http.problems import ProblemResponse


@dataclass(frozen=True)
class Patience:
    """How long a client may take, in seconds, and how much it may send or open."""

    head: float = 10.0  # from the connection, or the end of the last request, to the end of a request's head
    body: float = 10.0  # a window in which a body has to make progress
    body_rate: float = 1024.0  # bytes a second that count as progress
    answer: float = 30.0  # without reading any of the answer
    head_bytes: int = 64 * 1024
    connections: int = 1024


class PatientProtocol(HttpToolsProtocol):
    """One timer per connection, armed for whatever the client owes next."""

    patience: ClassVar[Patience] = Patience()

    _timer: TimerHandle | None = None
    _stalled: TimerHandle | None = None
    _in_body = False
    _in_head = False
    _received = 0  # bytes of the head so far, or of the body in this window

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections:
            self._refuse(503, "too many connections; try again later")
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._received += len(data)  # afterwards: a head that begins in these bytes starts the count anew
        if self.transport.is_closing():
            return
        if self._in_head and self._received > self.patience.head_bytes:
            self._refuse(431, f"the request's head is larger than {self.patience.head_bytes} bytes")
        elif self._idle() and self._timer is None:
            # Empty lines before a request: uvicorn has just stopped its keep-alive timer for them.
            self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:
            self._expect_head()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        self._expect_body()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._disarm()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.patience.answer, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, f"{msg.rstrip('.')}: this is not HTTP")

    def _idle(self) -> bool:
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self._in_head and not self._in_body

    def _expect_head(self) -> None:
        self._in_head, self._received = True, 0
        self._arm(self.patience.head, self._head_late)

    def _expect_body(self) -> None:
        self._received = 0
        self._arm(self.patience.body, self._body_late)

    def _head_late(self) -> None:
        if self._received:
            self._refuse(408, f"the request's head did not arrive within {self.patience.head:g} seconds")
        else:
            self.transport.close()

    def _body_late(self) -> None:
        blameless = self.flow.read_paused or self.cycle.waiting_for_100_continue
        enough = self._received >= self.patience.body * self.patience.body_rate
        if (blameless or enough) and not self.cycle.response_complete:
            self._expect_body()
        elif self.cycle.response_started:
            self.transport.abort()
        else:
            self._refuse(408, f"the body stalled: less than {self.patience.body_rate:g} bytes a second arrived")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer without the application, which the lost connection will tell, and close."""
        self._disarm()
        answer = ProblemResponse.of({"path": "/", "root_path": ""}, status, detail, headers={"Connection": "close"})
        head = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(answer.body))
        self.transport.close()

    def _arm(self, seconds: float, late: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def patient(patience: Patience) -> type[PatientProtocol]:
    """The protocol with these limits, as `uvicorn.Config(http=…)` wants it: a class."""
    return type("PatientProtocol", (PatientProtocol,), {"patience": patience})
