"""What a user of trainyard imports: the client, and the errors it raises. It speaks HTTP and nothing else."""

from trainyard.client import Client, JobFailed, ProblemError, TrainyardError, Unreachable

__all__ = ["Client", "JobFailed", "ProblemError", "TrainyardError", "Unreachable"]
