"""Training jobs: submitted, steered, measured, compared."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from trainshed.client import event_stream
from trainshed.client.connection import Connection
from trainshed.client.errors import Conflict, JobFailed, NotFound
from trainshed.client.page import Page
from trainshed.client.rows import Row, rows_body
from trainshed.client.types import (
    Checkpoint,
    Comparison,
    Diagnosis,
    Event,
    Hyperparameters,
    Job,
    JsonObject,
    LayersMeasured,
    MetricsRow,
    Prediction,
    Predictions,
    State,
    Timeline,
    Validated,
)

PRUNE_PAGE = 100
CSV = "csv"


class Jobs:
    """`client.jobs`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def submit(self, spec: Mapping[str, object], *, key: str | None = None) -> Job:
        """Queue a training job; the `ProblemError` for a spec that cannot be trained points at its fields.

        Submitted again with the same `key` within a day, by this program or the next, it is still one job.
        """
        return self._connection.create(Job, "/v1/jobs", dict(spec), key=key)

    def validate(self, spec: Mapping[str, object]) -> Validated:
        """What a spec would be as a job, and cost; nothing is queued."""
        query = {"validate_only": "true"}
        return self._connection.json(Validated, "POST", "/v1/jobs", query, body=dict(spec), repeatable=True)

    def schema(self) -> JsonObject:
        """The JSON schema of a spec, with a description of every field."""
        return self._connection.json(JsonObject, "GET", "/v1/schemas/job")

    def get(self, job_id: str) -> Job:
        """A job as it is now."""
        return self._connection.json(Job, "GET", f"/v1/jobs/{job_id}")

    def list(self, *, limit: int = 20, after: str | None = None, state: State | None = None) -> Page[Job]:
        """A page of jobs, newest first; `after` is the id of the last one seen."""
        return self._connection.page(Job, "/v1/jobs", {"limit": limit, "after": after, "state": state})

    def list_csv(
        self, fields: Sequence[str] = (), *, limit: int = 20, after: str | None = None, state: State | None = None
    ) -> str:
        """The same page as CSV under a header; fields such as "result.test.accuracy" choose the columns."""
        query = {"format": CSV, "fields": ",".join(fields) or None, "limit": limit, "after": after, "state": state}
        return self._connection.request("GET", "/v1/jobs", query).text

    def wait(self, job_id: str, seconds: float | None = None) -> Job:
        """The job once it is done, or as it is after `seconds`; `JobFailed` if it did not succeed."""
        job = self._connection.wait(Job, f"/v1/jobs/{job_id}", lambda now: now["done"], seconds)
        if job["done"] and job["state"] != "succeeded":
            raise JobFailed(job)
        return job

    def stream(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Events as they happen, `done` the last; a connection that breaks is taken up where it broke."""
        return event_stream.events(self._connection, job_id, after)

    def events(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[Event]:
        """A page of the events so far, those behind the number `after`."""
        return self._connection.page(Event, f"/v1/jobs/{job_id}/events", {"after": after, "limit": limit})

    def predict(self, job_id: str, rows: Sequence[Row]) -> Sequence[Prediction]:
        """What the job's model says about each row: an object keyed by feature name, or a plain array."""
        path = f"/v1/jobs/{job_id}/predict"
        return self._connection.json(Predictions, "POST", path, body=rows_body(rows), repeatable=True)["predictions"]

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; no model is kept."""
        return self._connection.json(Job, "POST", f"/v1/jobs/{job_id}/cancel", repeatable=True)

    def stop(self, job_id: str) -> Job:
        """Ask for the end of the training; the best model so far is kept."""
        return self._connection.json(Job, "POST", f"/v1/jobs/{job_id}/stop")

    def pause(self, job_id: str) -> Job:
        """Ask a job to rest; `pending` until its worker has saved it."""
        return self._connection.json(Job, "POST", f"/v1/jobs/{job_id}/pause")

    def resume(self, job_id: str, *, checkpoint: int | None = None) -> Job:
        """Queue a paused job again; from an older checkpoint, what came behind it is undone."""
        return self._connection.json(Job, "POST", f"/v1/jobs/{job_id}/resume", body={"checkpoint": checkpoint})

    def rerun(self, job_id: str, *, key: str | None = None) -> Job:
        """Queue a job once more; `result["reproduces"]` says whether the same weights came out."""
        return self._connection.create(Job, f"/v1/jobs/{job_id}/rerun", None, key=key)

    def delete(self, job_id: str) -> None:
        """Remove a job that is done, with its measurements, checkpoints and model."""
        self._connection.request("DELETE", f"/v1/jobs/{job_id}")

    def prune(self, older_than_seconds: float) -> Sequence[str]:
        """Delete the jobs that came to their end so long ago, but for those that others start from; their ids."""
        latest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        gone = []
        for job in self._connection.entries(Job, "/v1/jobs", {"limit": PRUNE_PAGE}, "id"):
            if job["finished_at"] is None or datetime.fromisoformat(job["finished_at"]) > latest:
                continue
            try:
                self.delete(job["id"])
            except (NotFound, Conflict):
                continue  # somebody was faster, or needs it
            gone.append(job["id"])
        return gone

    def hyperparameters(self, job_id: str) -> Hyperparameters:
        """What may change while the job trains, and every change so far."""
        return self._connection.json(Hyperparameters, "GET", f"/v1/jobs/{job_id}/hyperparameters")

    def change(
        self, job_id: str, patch: Mapping[str, object], *, note: str | None = None, if_match: str | None = None
    ) -> Hyperparameters:
        """Change hyper-parameters by a merge patch of the spec, from the next epoch on.

        `if_match` is an ETag of the job or of its hyper-parameters: changed since, nothing is done (`Conflict`).
        """
        headers = {} if if_match is None else {"If-Match": if_match}
        body = dict(patch) if note is None else {**patch, "note": note}
        path = f"/v1/jobs/{job_id}/hyperparameters"
        return self._connection.json(Hyperparameters, "PATCH", path, body=body, headers=headers)

    def checkpoints(self, job_id: str) -> Page[Checkpoint]:
        """Where the job can go on, oldest first."""
        return self._connection.page(Checkpoint, f"/v1/jobs/{job_id}/checkpoints")

    def timeline(self, job_id: str) -> Timeline:
        """The job's states and how long they took, and what was asked of it."""
        return self._connection.json(Timeline, "GET", f"/v1/jobs/{job_id}/timeline")

    def metrics(
        self, job_id: str, *, max_points: int | None = None, smoothing: float | None = None
    ) -> Sequence[MetricsRow]:
        """One row per epoch; `max_points` thins a long curve out and keeps its extremes.

        With `smoothing`, the β of an exponentially weighted average, `…_cost_smoothed` stands beside every cost.
        """
        path, query = f"/v1/jobs/{job_id}/metrics", {"max_points": max_points, "smoothing": smoothing}
        if max_points is not None:
            return self._connection.page(MetricsRow, path, query)
        return [*self._connection.entries(MetricsRow, path, query, "epoch")]

    def metrics_csv(self, job_id: str, *, max_points: int | None = None, smoothing: float | None = None) -> str:
        """The same rows as CSV under a header."""
        query = {"format": CSV, "max_points": max_points, "smoothing": smoothing}
        return self._connection.request("GET", f"/v1/jobs/{job_id}/metrics", query).text

    def layers(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[LayersMeasured]:
        """How every layer did, by epoch: a page of the measured epochs behind `after`."""
        return self._connection.page(LayersMeasured, f"/v1/jobs/{job_id}/layers", {"after": after, "limit": limit})

    def diagnosis(self, job_id: str) -> Diagnosis:
        """Bias or variance, and the next jobs to try."""
        return self._connection.json(Diagnosis, "GET", f"/v1/jobs/{job_id}/diagnosis")

    def compare(self, *job_ids: str) -> Comparison:
        """Where jobs differ, and their results and curves side by side."""
        return self._connection.json(Comparison, "GET", "/v1/compare", {"jobs": ",".join(job_ids)})
