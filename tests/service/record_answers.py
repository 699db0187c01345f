"""Play a session against a running stack and keep an answer of every kind, for the document: `make examples`.

The document at /openapi.json shows them, and tests hold them to its schemas.
"""

import json
import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import httpx

from service.http.client_timeouts import Patience
from tests.service.contract import Contract
from tests.service.running import served
from tests.until import CEILING
from trainshed.stack import Stack
from worker.backend import open_backend
from worker.queue.embedded_redis import EmbeddedRedis
from worker.queue.redis_server import find_server
from worker.settings import Settings

LONGEST_TEXT = 1500
FILE = Path(__file__).parents[2] / "service" / "http" / "examples.json"
EXAM = "hours,slept,passed\n" + "".join(
    f"{2 + step % 9},{5 + step % 4},{'yes' if step % 9 + step % 4 > 5 else 'no'}\n" for step in range(60)
)
SPEC: dict[str, Any] = {
    "name": "exam",
    "data": {"train": "exam", "target": "passed"},
    "layers": [{"type": "dense", "units": 4}, {"type": "relu"}],
    "training": {"epochs": 3},
}
SMALLEST = {"data": {"train": "digits", "target": "label"}}
LONG = {**SPEC, "name": "long", "training": {"epochs": 100_000, "batch_size": 8}, "checks": {"gradients": []}}


class Recorder:
    """The first answer of every operation, status and media type, and the first problem of every status."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.answers: dict[str, dict[str, dict[str, object]]] = {}
        self.problems: dict[str, object] = {}

    def __call__(self, answer: httpx.Response) -> None:
        operation = self.contract.operation(answer.request.method, answer.request.url.path)
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if operation is None or answer.status_code == 204 or operation["operationId"] == "get_job_schema":
            return
        text = answer.read().decode(errors="replace")
        if answer.is_error:
            self.problems.setdefault(str(answer.status_code), json.loads(text))
        elif kind == "application/json" or kind.startswith("text/"):
            value = shortened(json.loads(text)) if kind == "application/json" else first_lines(text)
            by_kind = self.answers.setdefault(operation["operationId"], {}).setdefault(str(answer.status_code), {})
            by_kind.setdefault(kind, value)


def shortened(value: Any) -> Any:
    """JSON with the first three members of every list of objects."""
    if isinstance(value, dict):
        return {name: shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shortened(inner) for inner in (value[:3] if value and isinstance(value[0], dict) else value)]
    return value


def first_lines(text: str) -> str:
    """The first lines of a text, up to the end of one."""
    return text if len(text) <= LONGEST_TEXT else text[: text.rindex("\n", 0, LONGEST_TEXT) + 1]


def play(client: httpx.Client) -> None:
    """Ask for everything once, in an order in which it is there."""
    csv = {"Content-Type": "text/csv"}
    for content in (EXAM, EXAM):
        client.post("/v1/datasets", params={"name": "exam"}, content=content, headers=csv)
    for path in ("", "/exam", "/exam/usage", "/exam/checks?target=passed", "/exam/preview?limit=2"):
        client.get(f"/v1/datasets{path}")
    for path in ("/", "/health/live", "/health/ready", "/v1/presets", "/v1/schemas/job", "/v1/workers"):
        client.get(path)
    job = done(client, client.post("/v1/jobs", json=SPEC).json()["id"])
    client.post("/v1/jobs", params={"validate_only": "true"}, json=SPEC)
    look_at(client, job)
    steer(client)
    register(client, job)
    infer(client)
    refuse(client, job)


def look_at(client: httpx.Client, job: str) -> None:
    """What a job that is done has to show."""
    again = done(client, client.post(f"/v1/jobs/{job}/rerun").json()["id"])
    client.get("/v1/jobs", params={"limit": 1})
    client.get("/v1/jobs", params={"limit": 1, "format": "csv", "fields": "id,name,state,result.test.accuracy"})
    for path in ("", "/metrics", "/metrics?format=csv", "/events?limit=3", "/layers?limit=1", "/diagnosis", "/stream"):
        client.get(f"/v1/jobs/{job}{path}")
    check = client.post(f"/v1/jobs/{job}/gradient-checks", json={"sample": 10}).json()
    client.get(f"/v1/jobs/{job}/gradient-checks/{check['number']}", params={"wait": 30})
    client.get(f"/v1/jobs/{job}/gradient-checks", params={"limit": 1})
    client.post(f"/v1/jobs/{job}/predict", json={"rows": [{"hours": 8, "slept": 7}]})
    client.get("/v1/compare", params={"jobs": f"{job},{again}"})
    client.delete(f"/v1/jobs/{again}")


def steer(client: httpx.Client) -> None:
    """A job that is paused, changed, stopped; another that is cancelled."""
    client.post("/v1/jobs", json={**SMALLEST, "layrs": []})
    job = client.post("/v1/jobs", json=LONG).json()["id"]
    until(client, job, "running")
    client.post(f"/v1/jobs/{job}/pause")
    until(client, job, "paused")
    change = {"optimizer": {"learning_rate": 0.01}, "note": "too slow"}
    client.patch(f"/v1/jobs/{job}/hyperparameters", json=change)
    client.get(f"/v1/jobs/{job}/hyperparameters")
    client.patch(f"/v1/jobs/{job}/hyperparameters", json=change, headers={"If-Match": '"0"'})
    client.post(f"/v1/jobs/{job}/resume")
    until(client, job, "running")
    client.post(f"/v1/jobs/{job}/stop")
    done(client, job)
    for path in ("timeline", "checkpoints"):
        client.get(f"/v1/jobs/{job}/{path}")
    client.post(f"/v1/jobs/{client.post('/v1/jobs', json=LONG).json()['id']}/cancel")


def register(client: httpx.Client, job: str) -> None:
    """A model with a version, an alias, a card and predictions."""
    model = "/v1/models/exam"
    for _ in range(2):
        client.post(f"{model}/versions", json={"job": job})
    second = done(client, client.post("/v1/jobs", json={**SPEC, "seed": 1}).json()["id"])
    client.post(f"{model}/versions", json={"job": second})
    client.patch(f"{model}/versions/1", json={"threshold": 0.4})
    for version in (1, 2):
        client.put(f"{model}/aliases/production", json={"version": version})
    client.post(f"{model}/aliases/production/rollback")
    client.put(model, json={"drift": True})
    paths = (
        "",
        "/exam",
        "/exam/versions?limit=1",
        "/exam/versions/1",
        "/exam/versions/1/card",
        "/exam/card",
        "/exam/versions/1/card?format=markdown",
        "/exam/card?format=markdown",
    )
    for path in (*paths, "/exam/aliases", "/exam/aliases/production", "/exam/aliases/production/history"):
        client.get(f"/v1/models{path}")
    rows = [{"hours": 2 + hour, "slept": 7} for hour in range(40)]
    client.post(f"{model}/predict", json={"rows": rows[:2]})
    client.post(f"{model}/predict", json={"rows": rows})
    client.post(f"{model}/predict", content="hours,slept\n8,7\n2,5\n", headers={"Content-Type": "text/csv"})
    client.post(f"{model}/explain", json={"dataset": "exam"})
    client.get(f"{model}/drift")
    batch = client.post(f"{model}/batch-predictions", json={"dataset": "exam"}).json()["id"]
    client.get(f"{model}/batch-predictions/{batch}", params={"wait": 30})
    client.get(f"{model}/batch-predictions")
    for part in ({}, {"Range": "bytes=0-99"}, {"Range": "bytes=999999-"}):
        client.get(f"{model}/batch-predictions/{batch}/result", headers=part)
    parameters = client.get(f"{model}/artifact", params={"format": "npz"}).content
    for _ in range(2):
        client.post("/v1/parameters?name=exam", content=parameters, headers={"Content-Type": "application/x-npz"})
    client.get("/v1/parameters")
    client.get("/v1/parameters/exam")


def infer(client: httpx.Client) -> None:
    """The Open Inference Protocol."""
    names = ("hours", "slept")
    inputs = [{"name": name, "shape": [1, 1], "datatype": "FP32", "data": [7.0]} for name in names]
    client.post("/v2/repository/index")
    for path in ("", "/health/live", "/health/ready", "/models/exam", "/models/exam/ready"):
        client.get(f"/v2{path}")
    client.post("/v2/models/exam/infer", json={"id": "1", "inputs": inputs})
    for path in ("", "/ready"):
        client.get(f"/v2/models/exam/versions/1{path}")
    client.post("/v2/models/exam/versions/1/infer", json={"inputs": inputs})


def refuse(client: httpx.Client, job: str) -> None:
    """A problem of every status that a client can bring about."""
    kind = {"Content-Type": "application/json"}
    client.post("/v1/jobs", content=b'{"data": ', headers=kind)
    client.get("/v1/jobs/job_00000000000000000000000000000000")
    client.post(f"/v1/jobs/{job}/pause")
    client.post("/v1/jobs", content=b" " * 300_000, headers=kind)
    client.post("/v1/jobs", content=b"data=digits", headers={"Content-Type": "text/plain"})
    client.post("/v1/jobs", headers={"Origin": "https://page.example"})
    client.get("/v1/jobs", headers={"Host": "page.example"})


def done(client: httpx.Client, job: str) -> str:
    """The job, once nothing can happen to it any more."""
    while not client.get(f"/v1/jobs/{job}", params={"wait": 30}).json()["done"]:
        pass
    return job


def until(client: httpx.Client, job: str, state: str) -> None:
    """Wait until a job is in a state."""
    while client.get(f"/v1/jobs/{job}").json()["state"] != state:
        time.sleep(0.01)


def fail(recorder: Recorder) -> None:
    """What no client can bring about: a full queue, a full disk, a bug."""
    for limits in ({"max_queued": 1}, {"disk_reserve_bytes": 2**60}):
        with TemporaryDirectory() as folder, EmbeddedRedis(find_server().program) as redis:
            chosen = {"data_dir": folder, "port": 0, "redis_url": redis.address.url}
            settings = Settings.model_validate(chosen | limits)
            with (
                open_backend(settings) as backend,
                served(backend, settings, Patience()) as service,
                httpx.Client(base_url=service.url, event_hooks={"response": [recorder]}) as client,
            ):
                job = client.post("/v1/jobs", json=SMALLEST).json().get("id")
                client.post("/v1/jobs", json=SMALLEST)
                with patch("service.routes.jobs.JobView.of", side_effect=ZeroDivisionError):
                    client.get(f"/v1/jobs/{job}")


def main() -> None:
    """Write the file."""
    with Stack() as stack:
        recorder = Recorder(Contract(httpx.get(f"{stack.url}/openapi.json", timeout=CEILING).json()))
        with httpx.Client(base_url=stack.url, timeout=60, event_hooks={"response": [recorder]}) as client:
            play(client)
    fail(recorder)
    recorded = {"answers": recorder.answers, "problems": dict(sorted(recorder.problems.items()))}
    text = json.dumps(recorded, indent=1, ensure_ascii=False).replace(socket.gethostname(), "host-1")
    FILE.write_text(text + "\n")


if __name__ == "__main__":
    main()
