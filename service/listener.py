"""The socket that the API listens on: taken before anything is started, so that nobody else can answer on its port."""

import errno
import os
import socket

BACKLOG = 2048
EXPLANATIONS = {
    errno.EADDRINUSE: "is in use by another program: stop that one, or choose another port in TRAINSHED_PORT, or by "
    "`serve --port` (0 takes a free one)",
    errno.EACCES: "may be opened by root only: choose one above 1023 in TRAINSHED_PORT, or by `serve --port`",
    errno.EADDRNOTAVAIL: "cannot be opened, as this machine has no such address: correct TRAINSHED_HOST",
}


class PortUnavailable(Exception):
    """Nobody can listen on this port of this address; the message says why, and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; connections wait until somebody accepts them. Port 0 takes a free one.

    Raises PortUnavailable.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host or None, port, family, socket.SOCK_STREAM)
    except socket.gaierror:
        raise PortUnavailable(f"there is no host {host!r} to listen on: correct TRAINSHED_HOST") from None
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # create_server adds the address to the reason, in words of its own
        reason = EXPLANATIONS.get(error.errno or 0, f"cannot be opened: {os.strerror(error.errno or 0)}")
        raise PortUnavailable(f"port {port} on {host} {reason}") from error
