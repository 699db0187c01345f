"""The client of the API: `Client`, its errors, and the types of what it answers. It speaks HTTP and nothing else."""

from trainshed.client.client import DEFAULT_URL, Client
from trainshed.client.errors import (
    Conflict,
    InvalidUrl,
    JobFailed,
    NotFound,
    ProblemError,
    TrainshedError,
    Unavailable,
    UnknownMediaType,
    Unreachable,
)
from trainshed.client.page import Page

__all__ = [
    "DEFAULT_URL",
    "Client",
    "Conflict",
    "InvalidUrl",
    "JobFailed",
    "NotFound",
    "Page",
    "ProblemError",
    "TrainshedError",
    "Unavailable",
    "UnknownMediaType",
    "Unreachable",
]
