"""A client of the API: a method is a request, an answer is plain JSON, and a refusal is a `ProblemError`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar, cast

import httpx

from trainshed.client.address import read_address, without_password
from trainshed.client.server_sent_events import parse
from trainshed.client.types import (
    Alias,
    BatchPrediction,
    Checkpoint,
    Comparison,
    DataReport,
    Dataset,
    DatasetUsage,
    Diagnosis,
    Event,
    GradientCheck,
    GradientChecks,
    Hyperparameters,
    Job,
    JsonValue,
    LayersMeasured,
    MetricsPage,
    MetricsRow,
    ModelPredictions,
    ModelVersion,
    ParameterSet,
    PointedDetail,
    Prediction,
    Predictions,
    Preset,
    Preview,
    RegisteredModel,
    State,
    Timeline,
    Validated,
    Worker,
)

DEFAULT_URL = "http://127.0.0.1:8000"
POLL_SECONDS = 20.0  # of one long poll: shorter than what proxies allow
STREAM_SILENCE_SECONDS = 60.0  # the server sends heartbeats far more often
STREAM_RETRIES = 5

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".npz": "application/x-npz",
    ".safetensors": "application/vnd.safetensors",
    ".zip": "application/zip",
}

PRUNE_PAGE = 100

T = TypeVar("T")
Row = Mapping[str, JsonValue] | Sequence[JsonValue]


class TrainshedError(Exception):
    """The client cannot do what was asked."""


class ProblemError(TrainshedError):
    """The service refused a request; the message says why and points at the fields (RFC 9457)."""

    def __init__(
        self, status: int, title: str, detail: str, code: str = "", errors: Sequence[PointedDetail] = ()
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.code = code
        self.errors = tuple(errors)
        lines = [f"{status} {title}" + (f": {detail}" if detail and detail != title else "")]
        lines += [f"  {error['pointer'] or '(the whole document)'}: {error['detail']}" for error in self.errors]
        super().__init__("\n".join(lines))

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The problem in an answer; an answer that is none (a proxy's page) keeps its first words."""
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return cls(response.status_code, response.reason_phrase, response.text[:200])
        return cls(
            response.status_code,
            body.get("title") or response.reason_phrase,
            body.get("detail") or "",
            body.get("code") or "",
            body.get("errors") or (),
        )


class InvalidUrl(TrainshedError):
    """What should be the address of a service is none."""


class Unreachable(TrainshedError):
    """Nobody answers at the address."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"no answer from {url} ({why}). Is trainshed running there? `trainshed serve` starts it; "
            "TRAINSHED_URL or --url names another address."
        )
        self.url = url


class JobFailed(TrainshedError):
    """A job that was waited for did not succeed."""

    def __init__(self, job: Job) -> None:
        error = job["error"]
        why = f": {error['message']} {error['hint'] or ''}".rstrip() if error else ""
        super().__init__(f"job {job['id']} is {job['state']}{why}")
        self.job = job


class Client:
    """Talks to one trainshed; safe to share between threads.

    `url` may lack its scheme, and have a path that a proxy puts before the service's. Raises InvalidUrl.

    >>> with Client() as client:
    ...     job = client.submit({"data": {"train": "digits", "target": "label"}})
    ...     print(client.wait(job["id"])["result"])
    """

    def __init__(self, url: str = DEFAULT_URL, *, timeout: float = 30.0) -> None:
        self.url = _address(url)
        self._timeout = timeout
        self._http = httpx.Client(base_url=self.url, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # jobs

    def submit(self, spec: Mapping[str, JsonValue], *, key: str | None = None) -> Job:
        """Queue a training job; the `ProblemError` for a spec that cannot be trained points at its fields.

        Sent again with the same `key` within a day, it is still one job: for whoever got no answer.
        """
        return self._json(Job, "POST", "/v1/jobs", json=dict(spec), headers=_once(key))

    def validate(self, spec: Mapping[str, JsonValue]) -> Validated:
        """What a spec would be as a job, and cost; nothing is queued."""
        return self._json(Validated, "POST", "/v1/jobs", json=dict(spec), params={"validate_only": "true"})

    def presets(self) -> list[Preset]:
        """Jobs from the textbook, each with a sentence on what to look at."""
        return self._page(Preset, "/v1/presets")

    def job(self, job_id: str) -> Job:
        """A job as it is now."""
        return self._json(Job, "GET", f"/v1/jobs/{job_id}")

    def jobs(self, *, limit: int = 20, after: str | None = None, state: State | None = None) -> list[Job]:
        """A page of jobs, newest first; `after` is the id of the last one seen."""
        return self._page(Job, "/v1/jobs", limit=limit, after=after, state=state)

    def jobs_csv(
        self,
        fields: Sequence[str] = (),
        *,
        limit: int = 20,
        after: str | None = None,
        state: State | None = None,
    ) -> str:
        """The same page as CSV under a header; fields such as "result.test.accuracy" choose the columns."""
        query = _given(format="csv", fields=",".join(fields) or None, limit=limit, after=after, state=state)
        return self._request("GET", "/v1/jobs", params=query).text

    def wait(self, job_id: str, seconds: float | None = None) -> Job:
        """The job once it is done, or as it is after `seconds`; `JobFailed` if it did not succeed."""
        deadline = None if seconds is None else monotonic() + seconds
        while True:
            left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, max(0.0, deadline - monotonic()))
            job = self._json(Job, "GET", f"/v1/jobs/{job_id}", params={"wait": left})
            if job["done"] and job["state"] != "succeeded":
                raise JobFailed(job)
            if job["done"] or left <= 0:
                return job

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; no model is kept."""
        return self._json(Job, "POST", f"/v1/jobs/{job_id}/cancel")

    def stop(self, job_id: str) -> Job:
        """Ask for the end of the training; the best model so far is kept."""
        return self._json(Job, "POST", f"/v1/jobs/{job_id}/stop")

    def pause(self, job_id: str) -> Job:
        """Ask a job to rest; `pending` until its worker has saved it."""
        return self._json(Job, "POST", f"/v1/jobs/{job_id}/pause")

    def resume(self, job_id: str, *, checkpoint: int | None = None) -> Job:
        """Queue a paused job again; from an older checkpoint, what came behind it is undone."""
        return self._json(Job, "POST", f"/v1/jobs/{job_id}/resume", json={"checkpoint": checkpoint})

    def rerun(self, job_id: str, *, key: str | None = None) -> Job:
        """Queue a job once more; `result["reproduces"]` says whether the same weights came out."""
        return self._json(Job, "POST", f"/v1/jobs/{job_id}/rerun", headers=_once(key))

    def delete(self, job_id: str) -> None:
        """Remove a job that is done, with its measurements, checkpoints and model."""
        self._request("DELETE", f"/v1/jobs/{job_id}")

    def prune(self, older_than_seconds: float) -> list[str]:
        """Delete the jobs that came to their end so long ago, but for those that others start from; their ids."""
        latest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        gone: list[str] = []
        page = self.jobs(limit=PRUNE_PAGE)
        while page:
            for job in page:
                if job["finished_at"] is None or datetime.fromisoformat(job["finished_at"]) > latest:
                    continue
                try:
                    self.delete(job["id"])
                except ProblemError as error:
                    if error.status not in (404, 409):  # somebody was faster, or needs it
                        raise
                else:
                    gone.append(job["id"])
            page = self.jobs(limit=PRUNE_PAGE, after=page[-1]["id"])
        return gone

    def hyperparameters(self, job_id: str) -> Hyperparameters:
        """What may change while the job trains, and every change so far."""
        return self._json(Hyperparameters, "GET", f"/v1/jobs/{job_id}/hyperparameters")

    def change(
        self, job_id: str, patch: Mapping[str, JsonValue], *, note: str | None = None, if_match: str | None = None
    ) -> Hyperparameters:
        """Change hyper-parameters by a merge patch of the spec, from the next epoch on.

        `if_match` is an ETag of the job or of its hyper-parameters: changed since, nothing is done (412).
        """
        headers = {} if if_match is None else {"If-Match": if_match}
        body = dict(patch) if note is None else {**patch, "note": note}
        path = f"/v1/jobs/{job_id}/hyperparameters"
        return self._json(Hyperparameters, "PATCH", path, json=body, headers=headers)

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Where the job can go on, oldest first."""
        return self._page(Checkpoint, f"/v1/jobs/{job_id}/checkpoints")

    def timeline(self, job_id: str) -> Timeline:
        """The job's states and how long they took, and what was asked of it."""
        return self._json(Timeline, "GET", f"/v1/jobs/{job_id}/timeline")

    def compare(self, *job_ids: str) -> Comparison:
        """Where jobs differ, and their results and curves side by side."""
        return self._json(Comparison, "GET", "/v1/compare", params={"jobs": ",".join(job_ids)})

    def workers(self) -> list[Worker]:
        """The worker processes that were seen lately."""
        return self._page(Worker, "/v1/workers")

    def metrics(
        self, job_id: str, *, max_points: int | None = None, smoothing: float | None = None
    ) -> list[MetricsRow]:
        """One row per epoch; `max_points` thins a long curve out and keeps its extremes.

        With `smoothing`, the β of an exponentially weighted average, `…_cost_smoothed` stands beside every cost.
        """
        rows: list[MetricsRow] = []
        path = f"/v1/jobs/{job_id}/metrics"
        if max_points is not None:
            return self._page(MetricsRow, path, max_points=max_points, smoothing=smoothing)
        trend = {} if smoothing is None else {"smoothing": smoothing}
        while True:
            after = {"after": rows[-1]["epoch"]} if rows else {}
            page = self._json(MetricsPage, "GET", path, params={**after, **trend})
            rows += page["data"]
            if not page["has_more"]:
                return rows

    def metrics_csv(self, job_id: str, *, max_points: int | None = None, smoothing: float | None = None) -> str:
        """The same rows as CSV under a header."""
        query = _given(format="csv", max_points=max_points, smoothing=smoothing)
        return self._request("GET", f"/v1/jobs/{job_id}/metrics", params=query).text

    def layers(self, job_id: str, *, after: int = 0, limit: int = 100) -> list[LayersMeasured]:
        """How every layer did, by epoch: a page of the measured epochs behind `after`."""
        return self._page(LayersMeasured, f"/v1/jobs/{job_id}/layers", after=after, limit=limit)

    def diagnosis(self, job_id: str) -> Diagnosis:
        """Bias or variance, and the next jobs to try."""
        return self._json(Diagnosis, "GET", f"/v1/jobs/{job_id}/diagnosis")

    def gradient_checks(self, job_id: str) -> list[GradientCheck]:
        """Those that the spec wants and those that were asked for, in order."""
        checks: list[GradientCheck] = []
        while True:
            after = {"after": checks[-1]["number"]} if checks else {}
            page = self._json(GradientChecks, "GET", f"/v1/jobs/{job_id}/gradient-checks", params=after)
            checks += page["data"]
            if not page["has_more"]:
                return checks

    def request_gradient_check(self, job_id: str, wanted: Mapping[str, JsonValue] | None = None) -> GradientCheck:
        """Queue a check: `{"at": "start", "epsilon": 1e-4, "sided": "one"}`; by default of the job's model."""
        return self._json(GradientCheck, "POST", f"/v1/jobs/{job_id}/gradient-checks", json=dict(wanted or {}))

    def wait_gradient_check(self, job_id: str, number: int, seconds: float | None = None) -> GradientCheck:
        """The check once it is done, or as it is after `seconds`; one that failed says why in `error`."""
        deadline = None if seconds is None else monotonic() + seconds
        path = f"/v1/jobs/{job_id}/gradient-checks/{number}"
        while True:
            left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, max(0.0, deadline - monotonic()))
            check = self._json(GradientCheck, "GET", path, params={"wait": left})
            if check["state"] in ("succeeded", "failed") or left <= 0:
                return check

    def predict(self, job_id: str, rows: Sequence[Row]) -> list[Prediction]:
        """What the job's model says about each row: an object keyed by feature name, or a plain array."""
        path = f"/v1/jobs/{job_id}/predict"
        return self._json(Predictions, "POST", path, json={"rows": list(rows)})["predictions"]

    # registered models

    def register(
        self, name: str, job_id: str, *, checkpoint: int | None = None, key: str | None = None
    ) -> ModelVersion:
        """Make a job's model, or one of its checkpoints, the next version of a name."""
        wanted = {"job": job_id} | ({} if checkpoint is None else {"checkpoint": checkpoint})
        return self._json(ModelVersion, "POST", f"/v1/models/{name}/versions", json=wanted, headers=_once(key))

    def models(self, *, limit: int = 20, after: str | None = None) -> list[RegisteredModel]:
        """Registered models by name, those behind the name `after`."""
        return self._page(RegisteredModel, "/v1/models", limit=limit, after=after)

    def model(self, name: str) -> RegisteredModel:
        """A registered model: its versions and what its aliases mean."""
        return self._json(RegisteredModel, "GET", f"/v1/models/{name}")

    def model_versions(self, name: str, *, limit: int = 20, after: int | None = None) -> list[ModelVersion]:
        """Versions older than `after`, newest first."""
        return self._page(ModelVersion, f"/v1/models/{name}/versions", limit=limit, after=after)

    def set_alias(self, name: str, alias: str, version: int) -> Alias:
        """Have an alias mean a version, at once and with no request lost."""
        return self._json(Alias, "PUT", f"/v1/models/{name}/aliases/{alias}", json={"version": version})

    def roll_back(self, name: str, alias: str) -> Alias:
        """Have an alias mean what it meant before."""
        return self._json(Alias, "POST", f"/v1/models/{name}/aliases/{alias}/rollback")

    def download_model(
        self,
        name: str,
        path: Path,
        *,
        alias: str | None = None,
        version: int | None = None,
        format: str = "safetensors",
    ) -> None:
        """Write a model's file: safetensors for `trainshed.engine.load`, npz, or onnx with the preprocessing in it."""
        given = _given(alias=alias, version=version, format=format)
        self._download(f"/v1/models/{name}/artifact", path, given)

    def predict_with(
        self,
        name: str,
        rows: Sequence[Row],
        *,
        alias: str | None = None,
        version: int | None = None,
        top_k: int | None = None,
    ) -> ModelPredictions:
        """What a registered model says about each row: the newest version, or the one that is named."""
        given = _given(alias=alias, version=version, top_k=top_k)
        body = {"rows": list(rows)}
        return self._json(ModelPredictions, "POST", f"/v1/models/{name}/predict", params=given, json=body)

    def predict_batch(
        self,
        name: str,
        dataset: str,
        *,
        format: str = "csv",
        alias: str | None = None,
        version: int | None = None,
        key: str | None = None,
    ) -> BatchPrediction:
        """Queue the prediction of a whole dataset, as csv or parquet."""
        path, given = f"/v1/models/{name}/batch-predictions", _given(alias=alias, version=version)
        wanted = {"dataset": dataset, "format": format}
        return self._json(BatchPrediction, "POST", path, params=given, json=wanted, headers=_once(key))

    def wait_batch(self, name: str, batch_id: str, seconds: float | None = None) -> BatchPrediction:
        """The batch prediction once it is done, or as it is after `seconds`; one that failed says why in `error`."""
        deadline = None if seconds is None else monotonic() + seconds
        path = f"/v1/models/{name}/batch-predictions/{batch_id}"
        while True:
            left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, max(0.0, deadline - monotonic()))
            batch = self._json(BatchPrediction, "GET", path, params={"wait": left})
            if batch["done"] or left <= 0:
                return batch

    def download_batch(self, name: str, batch_id: str, path: Path) -> None:
        """Write the result of a batch prediction."""
        self._download(f"/v1/models/{name}/batch-predictions/{batch_id}/result", path, {})

    def stream(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Events as they happen, `done` the last; a connection that breaks is taken up where it broke."""
        seen, retries = after, 0
        over = False
        while not over:
            try:
                with self._stream_opened(job_id, seen) as response:
                    over = response.status_code == 204  # `after` was the number of `done`
                    for message in parse(response.iter_lines()):
                        event = json.loads(message.data)
                        if message.event == "done":  # it carries the job itself
                            event = Event(seq=int(message.id), type="done", data=event)
                        seen, retries = event["seq"], 0
                        yield cast(Event, event)
                        if event["type"] == "done":
                            return
            except httpx.TransportError as error:
                retries += 1
                if retries > STREAM_RETRIES:
                    raise Unreachable(without_password(self.url), str(error)) from error

    @contextmanager
    def _stream_opened(self, job_id: str, after: int) -> Iterator[httpx.Response]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})
        patience = httpx.Timeout(self._timeout, read=STREAM_SILENCE_SECONDS)
        with self._http.stream("GET", f"/v1/jobs/{job_id}/stream", headers=headers, timeout=patience) as response:
            if response.is_error:
                response.read()
                raise ProblemError.of(response)
            yield response

    # data

    def upload_dataset(
        self, name: str, content: Path | bytes, media_type: str | None = None, **options: str
    ) -> Dataset:
        """Store a dataset; for a path its suffix (.csv, .json, .parquet, .npz, .zip …) tells the media type.

        Options are for a zip of images: size="28x28" brings them to one size, mode="grayscale" or "color" to one kind.
        """
        return self._upload(Dataset, "/v1/datasets", name, content, media_type, options)

    def dataset(self, reference: str) -> Dataset:
        """A dataset by id or name."""
        return self._json(Dataset, "GET", f"/v1/datasets/{reference}")

    def datasets(self, *, limit: int = 20, after: str | None = None, name: str | None = None) -> list[Dataset]:
        """A page of datasets, newest first; of one name, its versions."""
        return self._page(Dataset, "/v1/datasets", limit=limit, after=after, name=name)

    def preview(self, reference: str, *, limit: int = 10) -> Preview:
        """The first rows of a dataset, and what every column holds."""
        return self._json(Preview, "GET", f"/v1/datasets/{reference}/preview", params={"limit": limit})

    def check_data(
        self, reference: str, *, target: str | None = None, split: Mapping[str, JsonValue] | None = None
    ) -> DataReport:
        """What may be wrong with a dataset and with how it would be split, the gravest finding first."""
        query: dict[str, str] = {} if target is None else {"target": target}
        if split is not None:
            query["split"] = json.dumps(dict(split))
        return self._json(DataReport, "GET", f"/v1/datasets/{reference}/checks", params=query)

    def usage(self, reference: str) -> DatasetUsage:
        """What a dataset takes up, and the jobs and models that were made of it."""
        return self._json(DatasetUsage, "GET", f"/v1/datasets/{reference}/usage")

    def augmented(
        self,
        reference: str,
        augment: Sequence[Mapping[str, JsonValue]],
        *,
        rows: int = 8,
        draws: int = 8,
        seed: int = 0,
    ) -> bytes:
        """A PNG of a dataset's first images beside what augmentations, as in `data.augment`, make of them."""
        query = {"spec": json.dumps([dict(item) for item in augment]), "rows": rows, "draws": draws, "seed": seed}
        return self._request("GET", f"/v1/datasets/{reference}/augmented", params=query).content

    def delete_dataset(self, reference: str) -> None:
        """Remove a dataset; jobs that used it keep what they learned."""
        self._request("DELETE", f"/v1/datasets/{reference}")

    def upload_parameters(self, name: str, content: Path | bytes, media_type: str | None = None) -> ParameterSet:
        """Store parameters W1 b1 W2 b2 …, for the initializer {"type": "given", "parameters": name}."""
        return self._upload(ParameterSet, "/v1/parameters", name, content, media_type)

    # the service

    def ready(self) -> bool:
        """Whether the service and what it leans on work."""
        try:
            self._request("GET", "/health/ready")
        except (ProblemError, Unreachable):
            return False
        return True

    # What comes out of json() is taken for the document that the route promises.

    def _json(self, document: type[T], method: str, path: str, **options: Any) -> T:
        return cast(T, self._request(method, path, **options).json())

    def _page(self, entry: type[T], path: str, **parameters: Any) -> list[T]:
        given = {name: value for name, value in parameters.items() if value is not None}
        return cast(list[T], self._request("GET", path, params=given).json()["data"])

    def _upload(
        self,
        document: type[T],
        path: str,
        name: str,
        content: Path | bytes,
        media_type: str | None,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> T:
        if media_type is None:
            suffix = content.suffix.lower() if isinstance(content, Path) else ""
            if suffix not in MEDIA_TYPES:
                raise TrainshedError(
                    f"cannot tell the media type of {name!r} from the suffix {suffix!r}; "
                    f"name it as {' or '.join(MEDIA_TYPES)}, or pass media_type"
                )
            media_type = MEDIA_TYPES[suffix]
        options = {"params": {"name": name, **query}, "headers": {"Content-Type": media_type}}
        if isinstance(content, bytes):
            return self._json(document, "POST", path, content=content, **options)
        with content.open("rb") as file:  # streamed: a file may be larger than memory
            return self._json(document, "POST", path, content=file, **options)

    def _download(self, path: str, to: Path, given: Mapping[str, Any]) -> None:
        """Write an answer to a file piece by piece."""
        try:
            with self._http.stream("GET", path, params=given) as response:
                if response.is_error:
                    response.read()
                    raise ProblemError.of(response)
                with to.open("wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)
        except httpx.TransportError as error:
            raise Unreachable(without_password(self.url), str(error)) from error

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unreachable(without_password(self.url), str(error)) from error
        if response.is_error:
            raise ProblemError.of(response)
        return response


def _address(url: str) -> str:
    try:
        return read_address(url)
    except ValueError as error:
        raise InvalidUrl(str(error)) from None


def _once(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


def _given(**parameters: Any) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}
