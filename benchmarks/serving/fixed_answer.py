"""A server that answers every request alike, at once: what the client can ask at most. Prints its port."""

import asyncio
import sys

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n" + b" " * 400


class Fixed(asyncio.Protocol):
    def __init__(self, length: int) -> None:
        self.length, self.received = length, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is here
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.received >= self.length:
            self.received -= self.length
            self.transport.write(ANSWER)


async def main(length: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Fixed(length), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
