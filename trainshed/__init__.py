"""What a user of trainshed imports: the client, and the errors it raises. It speaks HTTP and nothing else."""

from trainshed.client import Client, InvalidUrl, JobFailed, ProblemError, TrainshedError, Unreachable

__all__ = ["Client", "InvalidUrl", "JobFailed", "ProblemError", "TrainshedError", "Unreachable"]
