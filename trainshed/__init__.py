"""What a user of trainshed imports: the client, and the errors it raises. It speaks HTTP and nothing else."""

from trainshed.client import (
    Client,
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

__all__ = [
    "Client",
    "Conflict",
    "InvalidUrl",
    "JobFailed",
    "NotFound",
    "ProblemError",
    "TrainshedError",
    "Unavailable",
    "UnknownMediaType",
    "Unreachable",
]
