"""Gradient checks of a job: backpropagation against finite differences."""

from collections.abc import Mapping, Sequence

from trainshed.client.connection import Connection
from trainshed.client.types import GradientCheck


class GradientChecks:
    """`client.gradient_checks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def request(
        self, job_id: str, wanted: Mapping[str, object] | None = None, *, key: str | None = None
    ) -> GradientCheck:
        """Queue a check: `{"at": "start", "epsilon": 1e-4, "sided": "one"}`; by default of the job's model."""
        return self._connection.create(GradientCheck, _path(job_id), dict(wanted or {}), key=key)

    def get(self, job_id: str, number: int) -> GradientCheck:
        """A check as it is now."""
        return self._connection.json(GradientCheck, "GET", f"{_path(job_id)}/{number}")

    def list(self, job_id: str) -> Sequence[GradientCheck]:
        """All that the spec wants and that were asked for, in order."""
        return [*self._connection.entries(GradientCheck, _path(job_id), {}, "number")]

    def wait(self, job_id: str, number: int, seconds: float | None = None) -> GradientCheck:
        """The check once it is done, or as it is after `seconds`; one that failed says why in `error`."""
        path = f"{_path(job_id)}/{number}"
        return self._connection.wait(GradientCheck, path, lambda now: now["finished_at"] is not None, seconds)


def _path(job_id: str) -> str:
    return f"/v1/jobs/{job_id}/gradient-checks"
