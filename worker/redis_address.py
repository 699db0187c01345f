"""Where a Redis is: read once from what an operator wrote, and shown without the password.

How an address is read is private ground of redis, tried with 8.1.
"""

# mypy: disable-error-code="no-untyped-call"
# redis has, here and there, no types

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

PORT = 6379
TLS = ("ca_certs", "ca_path", "certfile", "keyfile", "password", "cert_reqs", "check_hostname")
IN_A_QUERY = ("db", "username", "password", *(f"ssl_{name}" for name in TLS))
UNREADABLE = (
    "a Redis address is redis://user:password@host:6379/0, rediss://… for TLS, or redis+socket:///path for a socket; "
    "in a password %23 stands for #, %2F for /, %3A for :, %3F for ? and %40 for @"
)


@dataclass(frozen=True)
class RedisAddress:
    """A URL of Redis; `str()` of it may be shown to everybody.

    User and password stand before the host, or in the query. Raises ValueError, without the password, for what is no
    such URL.
    """

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts, options = urlsplit(self.url), self._options
            parse_qsl(parts.query, strict_parsing=bool(parts.query))
        except ValueError:  # it may quote a part of the password, which it takes for the port
            raise ValueError(UNREADABLE) from None
        database = parts.path.strip("/")
        if parts.fragment or ("path" not in options if self.is_socket else database and not database.isdecimal()):
            raise ValueError(UNREADABLE)
        known = {*IN_A_QUERY, "host", "port", "path", "connection_class"}
        if unknown := sorted(options.keys() - known):
            raise ValueError(f"a Redis address has no {unknown[0]!r}; its query may have {', '.join(IN_A_QUERY)}")

    def __str__(self) -> str:
        """The address without user, password and query."""
        if self.is_socket:
            return f"unix://{self._options['path']}"
        return f"{urlsplit(self.url).scheme}://{self._host}:{self._port}/{self._database}"

    @property
    def has_password(self) -> bool:
        """Whether the address brings a password along."""
        return "password" in self._options

    @property
    def is_socket(self) -> bool:
        """Whether it is a Unix socket on this machine."""
        return self.url.startswith(("redis+socket://", "unix://"))

    @property
    def celery_url(self) -> str:
        """The address as Celery takes it, password included."""
        user, password = (quote(str(self._options.get(name, "")), safe="") for name in ("username", "password"))
        credentials = f"{user}:{password}@" if user or password else ""
        if self.is_socket:
            path = quote(str(self._options["path"]).lstrip("/"))
            return f"redis+socket://{credentials}/{path}?virtual_host={self._database}"
        scheme = urlsplit(self.url).scheme
        return f"{scheme}://{credentials}{self._host}:{self._port}/{self._database}"

    @property
    def celery_tls(self) -> dict[str, object] | None:
        """What Celery is told about TLS: left to itself it would trust every certificate."""
        if urlsplit(self.url).scheme != "rediss":
            return None
        chosen = {name: value for name, value in self._options.items() if name.startswith("ssl_")}
        return {"ssl_cert_reqs": "required"} | chosen

    def client(self, seconds: float) -> redis.Redis:
        """A client that waits so long for a connection, and so long for an answer, and does not try again."""
        timeouts = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": Retry(NoBackoff(), 0)}
        return redis.Redis.from_pool(redis.ConnectionPool(**self._options | timeouts))

    @cached_property
    def _options(self) -> dict[str, Any]:
        """What the Redis client makes of the address."""
        return dict(parse_url(self.url.replace("redis+socket://", "unix://", 1)))

    @property
    def _host(self) -> str:
        host = str(self._options.get("host", "localhost"))
        return f"[{host}]" if ":" in host else host

    @property
    def _port(self) -> int:
        return int(self._options.get("port", PORT))

    @property
    def _database(self) -> int:
        return int(self._options.get("db", 0))
