"""The address of the database: what it may be, how it is shown, and in one line why nobody could connect to it."""

import re
import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

EXAMPLE = "postgresql://user:password@host/name"
HIGHEST_PORT = 65535

SETTING = "TRAINSHED_DATABASE_URL"

# What libpq and the server say (in English, unless the server was set to another language), and what it means.
MEANINGS = (
    (
        r"password authentication failed",
        f"PostgreSQL at {{place}} refuses the password of the user {{user!r}}: correct it in {SETTING}",
    ),
    (
        r"no password supplied",
        f"PostgreSQL at {{place}} asks for the password of the user {{user!r}}: add it to {SETTING}",
    ),
    (
        r"database .* does not exist",
        f"PostgreSQL at {{place}} has no database {{name!r}}: create it, or name another one in {SETTING}",
    ),
    (
        r"role .* does not exist",
        f"PostgreSQL at {{place}} has no user {{user!r}}: create it, or name another one in {SETTING}",
    ),
    (
        r"Connection refused|No such file",
        f"no PostgreSQL listens at {{place}}: start it, or correct host and port in {SETTING}",
    ),
    (
        r"resolve host|translate host name",
        f"there is no host {{host!r}}: correct it in {SETTING}",
    ),
    (
        r"timeout|timed out",
        "nothing answers at {place}: is the machine up, and does a firewall let this one through?",
    ),
)


def read_address(url: str) -> sa.URL:
    """The address with the driver that is used here; raises ValueError, whose message holds no part of the address."""
    try:
        address = sa.make_url(url)
    except (exc.ArgumentError, ValueError):  # the text may hold a password
        raise ValueError(f"must be an address such as {EXAMPLE} or sqlite:////folder/file.db") from None
    backend = address.get_backend_name()
    if backend == "sqlite":
        if address.database in (None, "", ":memory:"):
            raise ValueError("must name a file, which the processes share: sqlite:////folder/file.db")
        return address
    if backend not in ("postgresql", "postgres"):
        raise ValueError(f"must be of kind sqlite or postgresql; {backend} is not supported")
    if "@" in (address.host or ""):
        raise ValueError("must have no bare @ in its password; write %40 there")
    if address.port is not None and address.port > HIGHEST_PORT:
        raise ValueError(f"must name a port of at most {HIGHEST_PORT}, not {address.port}")
    return address.set(drivername="postgresql+psycopg")


def sqlite_path(address: sa.URL) -> Path:
    """The file of an address of SQLite's."""
    return Path(str(address.database)).absolute()


def why_no_connection(address: sa.URL, error: BaseException | None) -> str:
    """One line that says what stands in the way, with what to do, and without a secret."""
    if address.get_backend_name() == "sqlite":
        return _why_no_file(sqlite_path(address), error)
    said = " ".join(str(error).split())
    for pattern, meaning in MEANINGS:
        if re.search(pattern, said):
            known = {"place": _place(address), "host": address.host, "user": address.username, "name": address.database}
            return meaning.format(**known)
    said = said.rpartition("failed: ")[2].removeprefix("connection is bad: ")
    for secret in (address.password, address.query.get("password"), address.query.get("sslpassword")):
        said = said.replace(str(secret), "***") if secret else said
    return f"PostgreSQL at {_place(address)} cannot be connected to: {said}"


def _why_no_file(path: Path, error: BaseException | None) -> str:
    if isinstance(error, OSError):
        return f"the database {path} cannot be opened ({error.filename}: {error.strerror}): may this user write there?"
    if isinstance(error, sqlite3.OperationalError):
        return f"the database {path} cannot be opened ({error}): is it a file that this user may write to?"
    return f"{path} is no database of SQLite, or damaged ({error}): restore it, or move it away to begin anew"


def _place(address: sa.URL) -> str:
    """`host:port`, or the folder of the socket: nothing that is secret."""
    host, port = address.host or address.query.get("host"), address.port or address.query.get("port")
    if isinstance(host, tuple):
        host = ",".join(host)
    if not host or host.startswith("/"):
        return host or "the local socket"
    return f"{host}:{port or 5432}"
