"""The Redis that carries wake-ups from the API to the workers: the one that is named, else one of our own.

It may lose everything at any time: the store is the truth, and the sweeper publishes again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from worker.errors import BrokerUnavailable
from worker.queue.embedded_redis import EmbeddedRedis
from worker.queue.redis_faults import RedisFault, find_fault
from worker.queue.redis_server import find_server
from worker.queue.running_stack import claim_folder, find_stack
from worker.redis_address import RedisAddress
from worker.settings import Settings


@contextmanager
def open_broker(settings: Settings, api_url: str | None = None) -> Iterator[RedisAddress]:
    """The Redis of a whole stack on the data folder, which other processes find by `find_broker`.

    Raises `BrokerUnavailable` when it does not answer or cannot be started, and `DataFolderInUse`.
    """
    with claim_folder(settings.data_dir, api_url) as tell:
        if settings.redis_url is not None:
            if (fault := check_broker(settings)) is not None:
                raise BrokerUnavailable(str(fault))
            yield find_broker(settings)
            return
        with EmbeddedRedis(find_server().program) as redis:
            tell(redis.address.url)
            yield redis.address


def find_broker(settings: Settings) -> RedisAddress:
    """The Redis that a single process uses: the one that the settings name, else the running stack's.

    Raises `BrokerUnavailable` when there is neither.
    """
    if settings.redis_url is not None:
        return RedisAddress(settings.redis_url.get_secret_value())
    stack = find_stack(settings.data_dir)
    if stack is None:
        raise BrokerUnavailable(
            f"TRAINSHED_REDIS_URL is not set, and no `trainshed serve`, which brings a Redis along, runs on "
            f"{settings.data_dir.absolute()}: start one, or set TRAINSHED_REDIS_URL"
        )
    if stack.redis_url is None:
        raise BrokerUnavailable(
            f"the stack on {settings.data_dir.absolute()} ({stack}) has no Redis of its own: "
            "set TRAINSHED_REDIS_URL as it was set there"
        )
    return RedisAddress(stack.redis_url)


def check_broker(settings: Settings) -> RedisFault | None:
    """What is wrong with the Redis of `find_broker`, and what to do about it; None when it answers."""
    fault = find_fault(find_broker(settings))
    if fault is None:
        return None
    start = "" if fault.permanent else "start it, or "
    advice = "restart its `trainshed serve`" if settings.redis_url is None else f"{start}correct TRAINSHED_REDIS_URL"
    return replace(fault, sentence=f"{fault}; {advice}")
