"""A request that may be sent again: its Idempotency-Key, and the answer that it got."""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.domain.principals import Principal


@dataclass(frozen=True)
class KeyLease:
    """The right to answer a request with this key; a later attempt at the same key takes it away."""

    principal: Principal
    key: str
    route: str
    attempt: int


@dataclass(frozen=True)
class KeyedRequest:
    """The lease of a key, and the hash of the request that it stands for: what is created with it is created once."""

    key_lease: KeyLease
    sha256: str


@dataclass(frozen=True)
class StoredResponse:
    """What a request was answered with."""

    sha256: str  # of the request
    status: int
    headers: Mapping[str, str]
    body: str
