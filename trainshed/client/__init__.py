"""The client of the API: `Client`, its errors, and the types of what it answers. It speaks HTTP and nothing else."""

from trainshed.client.client import (
    DEFAULT_URL,
    MEDIA_TYPES,
    Client,
    InvalidUrl,
    JobFailed,
    ProblemError,
    TrainshedError,
    Unreachable,
)

__all__ = [
    "DEFAULT_URL",
    "MEDIA_TYPES",
    "Client",
    "InvalidUrl",
    "JobFailed",
    "ProblemError",
    "TrainshedError",
    "Unreachable",
]
