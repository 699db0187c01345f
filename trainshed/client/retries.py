"""Retries by stamina: which failures are worth another try, and when.

A request that never left may be sent again, whatever it is. One that did may be sent again if that cannot do anything
twice: it reads, it sets, or it carries an Idempotency-Key.
"""

from collections.abc import Iterator

import httpx
import stamina
from stamina import Attempt

from trainshed.client.errors import ProblemError

RETRIES = 4
FIRST_SECONDS, LONGEST_SECONDS = 0.1, 5.0  # of the pauses, which double
LONGEST_RETRY_AFTER = 10.0  # seconds; whoever is sent away for longer is told so
IN_FLIGHT_SECONDS = 3.0  # the first request with this key may be going on, or be forgotten some seconds after a crash
PASSING = frozenset({429, 502, 503, 504})

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# What we ask for is at fault, or takes the service longer than we wait: it would the next time, too.
HOPELESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.ReadTimeout, httpx.WriteTimeout)


def attempts(*, repeatable: bool, retries: int = RETRIES) -> Iterator[Attempt]:
    """Context managers, each for one attempt; the last failure is let through."""

    def pause(error: Exception) -> bool | float:
        """Whether to try again, or after how many seconds."""
        if isinstance(error, httpx.TransportError):
            return not isinstance(error, HOPELESS) and (repeatable or isinstance(error, UNSENT))
        if not isinstance(error, ProblemError) or not repeatable:
            return False
        if error.code == "key_in_flight":
            return IN_FLIGHT_SECONDS
        if error.status not in PASSING or error.retry_after is None:
            return error.status in PASSING
        return error.retry_after <= LONGEST_RETRY_AFTER and error.retry_after

    return iter(
        stamina.retry_context(
            on=pause,
            attempts=1 + retries,
            timeout=None,
            wait_initial=FIRST_SECONDS,
            wait_max=LONGEST_SECONDS,
            wait_jitter=FIRST_SECONDS,
        )
    )
