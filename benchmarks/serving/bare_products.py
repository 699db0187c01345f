"""The least that can be done with a large request: read the bytes, multiply, send the answer. No protocol, no checks.

`python -m benchmarks.serving.bare_products WEIGHTS.npz` prints its port. A request is its length in eight bytes, then
float32 rows; the answer is float32 probabilities.
"""

import socket
import struct
import sys

import numpy as np


def main() -> None:
    with np.load(sys.argv[1]) as archive:
        W1, b1, W2, b2 = (archive[name] for name in ("W1", "b1", "W2", "b2"))
    W1 = W1 / np.float32(255)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            while len(head := connection.recv(8, socket.MSG_WAITALL)) == 8:
                body = memoryview(bytearray(struct.unpack("<Q", head)[0]))
                connection.recv_into(body, len(body), socket.MSG_WAITALL)
                x = np.frombuffer(body, "<f4").reshape(-1, 784)
                z = np.maximum(x @ W1 + b1, 0) @ W2 + b2
                e = np.exp(z - z.max(axis=1, keepdims=True))
                connection.sendall((e / e.sum(axis=1, keepdims=True)).tobytes())


if __name__ == "__main__":
    main()
