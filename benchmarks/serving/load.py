"""A client that does nothing but ask: requests made beforehand, as many connections as wanted, one request on each.

Run as a process of its own: `python -m benchmarks.serving.load HOST PORT REQUESTS.npz CONNECTIONS SECONDS ANSWERS.npz`.
The archive of requests holds `bytes` (all of them in a row) and `ends`. The archive of answers says for every request
which it was, when it was sent, how long it took, its status, and where its body lies in `bodies` if those are kept.
"""

import asyncio
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import uvloop

LONGEST = 1 << 20  # bytes of an answer


class Asking(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, load: "Load", first: int) -> None:
        self.load, self.number = load, first
        self.buffer = bytearray()
        self.started = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is here
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.started = perf_counter()
        self.transport.write(self.load.requests[self.number])

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end]).lower()
        start = head.index(b"content-length:") + 15
        length = int(head[start:].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.load.answered(self.number, self.started, int(head[9:12]), bytes(self.buffer[end + 4 :]))
        self.buffer.clear()
        if perf_counter() < self.load.deadline:
            self.number = (self.number + self.load.connections) % len(self.load.requests)
            self.ask()
        else:
            self.transport.close()
            self.load.over()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None or self.buffer:
            self.load.answered(self.number, self.started, 0, b"")
            self.load.over()


class Load:
    """All connections, and what came back."""

    def __init__(self, requests: list[bytes], connections: int, seconds: float) -> None:
        self.requests, self.connections, self.seconds = requests, connections, seconds
        self.numbers: list[int] = []
        self.started: list[float] = []
        self.took: list[float] = []
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self.left = connections

    async def run(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self.done = loop.create_future()
        self.deadline = perf_counter() + self.seconds
        for number in range(self.connections):
            await loop.create_connection(lambda n=number: Asking(self, n % len(self.requests)), host, port)
        await self.done

    def answered(self, number: int, started: float, status: int, body: bytes) -> None:
        self.numbers.append(number)
        self.started.append(started)
        self.took.append(perf_counter() - started)
        self.statuses.append(status)
        self.bodies.append(body)

    def over(self) -> None:
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)


def main() -> None:
    host, port, asked, connections, seconds, answers = sys.argv[1:]
    with np.load(asked) as archive:
        text, ends = archive["bytes"].tobytes(), archive["ends"].tolist()
    requests = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    load = Load(requests, int(connections), float(seconds))
    uvloop.run(load.run(host, int(port)))
    different = {body: place for place, body in enumerate(dict.fromkeys(load.bodies))}
    kept = list(different)
    np.savez(
        Path(answers),
        numbers=load.numbers, started=load.started, took=load.took, statuses=load.statuses,
        body=[different[body] for body in load.bodies],
        bodies=np.frombuffer(b"".join(kept), np.uint8), ends=np.cumsum([len(body) for body in kept]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
