"""A command's talk with the service: what is refused ends the command with its message."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from trainshed.cli.failure import MISUSED, fail
from trainshed.client import Client, InvalidUrl, TrainshedError

WORTH_SAYING_SECONDS = 1.0


@contextmanager
def open_client(url: str) -> Iterator[Client]:
    """A client whose refusals end the command with their message."""
    set_on_retry_hooks([_say])
    try:
        with Client(url) as client:
            yield client
    except InvalidUrl as error:
        fail(f"{error} (--url, or TRAINSHED_URL)", MISUSED)
    except TrainshedError as error:
        fail(str(error))


def _say(details: RetryDetails) -> None:
    """Whoever waits is told why."""
    if details.wait_for >= WORTH_SAYING_SECONDS:
        print(f"{details.caused_by}; asking again in {details.wait_for:.0f} s", file=sys.stderr, flush=True)
