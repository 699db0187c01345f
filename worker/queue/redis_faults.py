"""Whether a Redis answers, and in a sentence why it does not."""

import socket
import ssl
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

import redis

from worker.redis_address import RedisAddress

ANSWER_SECONDS = 1.0


@dataclass(frozen=True)
class RedisFault:
    """What is wrong with a Redis; `str()` of it is a sentence for an operator."""

    sentence: str
    permanent: bool  # nobody has to wait for it to pass: the address is at fault

    def __str__(self) -> str:
        return self.sentence


def find_fault(address: RedisAddress, seconds: float = ANSWER_SECONDS) -> RedisFault | None:
    """None when the Redis answers a PING, else what it does; asks for at most that long, whatever the network does."""
    found: SimpleQueue[RedisFault | None] = SimpleQueue()
    # in a thread that may be left to itself: looking up a host's name has no time-out
    Thread(target=lambda: found.put(_ask(address, seconds)), name="redis-ping", daemon=True).start()
    try:
        return found.get(timeout=seconds)
    except Empty:
        return _silent(address, seconds)


def describe_fault(address: RedisAddress, error: redis.RedisError, seconds: float) -> RedisFault:
    """What an error of the Redis client says about the Redis there, after so long a wait."""
    where = f"the Redis at {address}"
    cause = error.__cause__ or error.__context__
    match error, cause:
        case redis.BusyLoadingError(), _:
            return RedisFault(f"{where} is still loading its data", permanent=False)
        case redis.exceptions.NoPermissionError(), _:
            return RedisFault(f"{where} does not let its user do what is needed: {error}", permanent=True)
        case redis.AuthenticationError(), _ if address.has_password:
            return RedisFault(f"{where} refuses the user or the password of its address", permanent=True)
        case redis.AuthenticationError(), _:
            return RedisFault(f"{where} asks for a password, and its address has none", permanent=True)
        case redis.TimeoutError(), _:
            return _silent(address, seconds)
        case _, socket.gaierror():
            return RedisFault(f"the host of the Redis at {address} is unknown: {cause.strerror}", permanent=False)
        case _, ConnectionRefusedError():
            return RedisFault(f"nothing listens at {address}, where a Redis should", permanent=False)
        case _, FileNotFoundError() if address.is_socket:
            return RedisFault(f"there is no socket of a Redis at {address}", permanent=False)
        case _, FileNotFoundError():
            return RedisFault(f"a file that the query of the address of {where} names is not there", permanent=True)
        case _, ssl.SSLError():
            return RedisFault(f"{where} fails at TLS: {cause.reason or cause}", permanent=True)
        case redis.InvalidResponse(), _:
            return RedisFault(f"what answers at {address} is no Redis", permanent=True)
        case redis.ConnectionError(), OSError() if cause.strerror:
            return RedisFault(f"{where} cannot be reached: {cause.strerror}", permanent=False)
        case redis.ConnectionError(), _:
            return RedisFault(f"{where} does not answer: {error}", permanent=False)
    return RedisFault(f"{where} refuses: {error}", permanent=True)


def _ask(address: RedisAddress, seconds: float) -> RedisFault | None:
    client = address.client(seconds)
    try:
        client.ping()
    except redis.RedisError as error:
        return describe_fault(address, error, seconds)
    finally:
        client.close()
    return None


def _silent(address: RedisAddress, seconds: float) -> RedisFault:
    return RedisFault(f"the Redis at {address} did not answer within {seconds:g} s", permanent=False)
