"""One run of everything: `make bench-serving`, or `python -m benchmarks.serving --mlserver PYTHON_OF_ITS_VENV`.

The model is MNIST 784-128-10, trained here for an epoch; the others get the very same weights, and every server's
answers are compared before its speed is. Servers take turns, so that a busy machine is unfair to none of them.
"""

import argparse
import io
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import psutil
import tritonclient.http as triton

from trainshed.stack import Stack

DATA = Path(__file__).parents[3] / "shared/data/mnist.npz"
SPEC = {
    "data": {"train": "mnist", "target": "label", "split": {"type": "given"}, "normalize": {"type": "scale"}},
    "layers": [{"type": "dense", "units": 128}, {"type": "relu"}],
    "training": {"epochs": 1, "batch_size": 128},
    "checks": {"gradients": []},
}  # fmt: skip
ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ROWS = 10_000
Answers = dict[str, np.ndarray]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--mlserver", type=Path, help="the interpreter of a virtual environment with mlserver-sklearn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of every server in every round")
    parser.add_argument("--switching", type=float, default=60.0, help="seconds of switching models under load")
    parser.add_argument("--parts", default="123", help="of the three, those to run")
    chosen = parser.parse_args()
    with np.load(DATA) as mnist:
        pixels, kept = mnist["x_test"].reshape(-1, 784), {name: mnist[name][:10_000] for name in mnist.files}
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="bench-serving-")))
        stack = exits.enter_context(Stack(folder / "data", environment=ONE_CORE))
        http = exits.enter_context(httpx.Client(base_url=stack.url, timeout=120))
        weights = registered(http, kept, folder)
        good = True
        if "1" in chosen.parts:
            good &= single_rows(exits, folder, stack, http, weights, pixels, chosen)
        if "2" in chosen.parts:
            good &= large_requests(exits, folder, stack, weights, pixels)
        if "3" in chosen.parts:
            good &= switching(folder, stack, http, pixels, chosen.switching)
    return 0 if good else 1


def registered(http: httpx.Client, mnist: dict[str, np.ndarray], folder: Path) -> Path:
    """Two versions of a model, trained by two jobs; the first one's weights."""
    file = io.BytesIO()
    np.savez(file, **mnist)
    http.post("/v1/datasets?name=mnist", content=file.getvalue(), headers={"Content-Type": "application/x-npz"})
    for seed in (0, 1):
        job = http.post("/v1/jobs", json={**SPEC, "seed": seed}).raise_for_status().json()["id"]
        while not (state := http.get(f"/v1/jobs/{job}?wait=30").json())["done"]:
            pass
        http.post("/v1/models/mnist/versions", json={"job": job}).raise_for_status()
        print(f"version {seed + 1}: test accuracy {state['result']['test']['accuracy']:.4f}")
    http.put("/v1/models/mnist/aliases/live", json={"version": 1}).raise_for_status()
    path = folder / "weights.npz"
    path.write_bytes(http.get("/v1/models/mnist/versions/1/artifact?format=npz").raise_for_status().content)
    return path


# -- 1. single rows


def single_rows(
    exits: ExitStack, folder: Path, stack: Stack, http: httpx.Client, weights: Path, pixels: np.ndarray, chosen: Any
) -> bool:
    """Requests a second with 8 connections, one process each; median, p50 and p99 over all rounds."""
    print(f"\n1. single rows, JSON, 8 connections, {chosen.rounds} rounds of {chosen.seconds:g} s each, in turn")
    ours = [json.dumps({"rows": [row]}).encode() for row in pixels[:256].tolist()]
    expected = http.post("/v1/models/mnist/predict?alias=live", json={"rows": pixels[:256].tolist()}).json()
    labels = [said["label"] for said in expected["predictions"]]
    servers = {"trainshed": (stack.port, "/v1/models/mnist/predict?alias=live", ours, stack.pids["api"])}
    port, process = exits.enter_context(plain_fastapi(folder, weights))
    servers["plain FastAPI"] = (port, "/predict", ours, process)
    if chosen.mlserver:
        port, process = exits.enter_context(mlserver(folder, chosen.mlserver, weights))
        v2 = [
            json.dumps({
                "inputs": [{"name": "x", "shape": [1, 784], "datatype": "FP32", "data": row}],
                "outputs": [{"name": "predict_proba"}],
            }).encode()
            for row in pixels[:256].tolist()
        ]  # fmt: skip
        servers["MLServer"] = (port, "/v2/models/mnist/infer", v2, process)
    rates: dict[str, list[float]] = {name: [] for name in servers}
    took: dict[str, list[np.ndarray]] = {name: [] for name in servers}
    seconds: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(chosen.rounds + 1):
        for name, (port, path, bodies, process) in servers.items():
            asked = requests(folder, port, path, bodies)
            before = busy(process)
            found = load(folder, port, asked, 8, chosen.seconds if turn else 1.0)
            if not turn:  # the first round warms up, and shows that all say the same
                same(name, found, labels)
                continue
            assert (found["statuses"] == 200).all()
            rates[name].append(len(found["took"]) / (found["started"].max() - found["started"].min()))
            took[name].append(found["took"])
            seconds[name].append((busy(process) - before) / len(found["took"]))
    ceiling = exits.enter_context(process_with_port("benchmarks.serving.fixed_answer", str(len(asked_bytes(ours[0])))))
    most = load(folder, ceiling, requests(folder, ceiling, "/v1/models/mnist/predict?alias=live", ours[:1]), 8, 2.0)
    print(f"{'':16}requests/s    p50 ms   p99 ms   CPU µs a request")
    for name in servers:
        p50, p99 = np.percentile(np.concatenate(took[name]), [50, 99]) * 1e3
        print(f"{name:16}{median(rates[name]):10,.0f}{p50:10.2f}{p99:9.2f}{median(seconds[name]) * 1e6:12.0f}")
    print(f"{'the client':16}{len(most['took']) / 2.0:10,.0f} at most, against a server that does nothing")
    good = True
    for name, least in (("MLServer", 3.0), ("plain FastAPI", 1.5)):
        if name in servers:
            ratio = median(a / b for a, b in zip(rates["trainshed"], rates[name], strict=True))
            good &= verdict(f"{ratio:.2f} × {name} (at least {least:g})", ratio >= least)
    if "MLServer" in servers:
        mine, theirs = (np.percentile(np.concatenate(took[who]), [50, 99]) for who in ("trainshed", "MLServer"))
        good &= verdict("lower p50 and p99 than MLServer", bool((mine < theirs).all()))
    return good


def same(name: str, found: Answers, labels: list[int]) -> None:
    """Raise unless the labels are the expected ones."""
    for number, place in dict(zip(found["numbers"].tolist(), found["body"].tolist(), strict=True)).items():
        document = json.loads(body_of(found, place))
        if "outputs" in document:
            label = int(np.argmax(document["outputs"][0]["data"]))
        else:
            label = document["predictions"][0]["label"]
        assert label == labels[number], f"{name} says {label} to row {number}, which is {labels[number]}"


# -- 2. large requests


def large_requests(exits: ExitStack, folder: Path, stack: Stack, weights: Path, pixels: np.ndarray) -> bool:
    """10 000 rows: tritonclient in binary, MLServer in JSON, and the bare products."""
    print(f"\n2. {ROWS} × 784 in one request, the best of 7")
    x = pixels[:ROWS].astype(np.float32)
    given = triton.InferInput("input", [ROWS, 784], "FP32")
    given.set_data_from_numpy(x, binary_data=True)
    wanted = [triton.InferRequestedOutput("probabilities", binary_data=True)]
    client = exits.enter_context(triton.InferenceServerClient(f"127.0.0.1:{stack.port}"))
    bare = exits.enter_context(process_with_port("benchmarks.serving.bare_products", str(weights)))
    connection = exits.enter_context(socket.create_connection(("127.0.0.1", bare)))
    ours, least = [], []
    for _ in range(7):
        start = time.perf_counter()
        answers = client.infer("mnist", [given], outputs=wanted, model_version="1").as_numpy("probabilities")
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        connection.sendall(struct.pack("<Q", x.nbytes) + x.tobytes())
        expected = np.frombuffer(received(connection, ROWS * 40), np.float32).reshape(-1, 10)
        least.append(time.perf_counter() - start)
    assert np.abs(answers - expected).max() < 1e-4
    print(f"tritonclient, binary, to trainshed  {min(ours) * 1e3:8.1f} ms")
    print(f"the bytes and the products alone    {min(least) * 1e3:8.1f} ms")
    good = verdict(
        f"{min(ours) / min(least):.2f} × the bytes and the products (at most 2)", min(ours) <= 2 * min(least)
    )
    if "mlserver" in PORTS:
        document = {"inputs": [{"name": "x", "shape": [ROWS, 784], "datatype": "FP32", "data": x.ravel().tolist()}],
                    "outputs": [{"name": "predict_proba"}]}  # fmt: skip
        theirs = []
        with httpx.Client(timeout=600) as http:
            for _ in range(2):
                start = time.perf_counter()
                body = json.dumps(document)
                http.post(f"http://127.0.0.1:{PORTS['mlserver']}/v2/models/mnist/infer", content=body,
                          headers={"Content-Type": "application/json"}).raise_for_status().json()  # fmt: skip
                theirs.append(time.perf_counter() - start)
        print(f"JSON to MLServer                    {min(theirs) * 1e3:8.1f} ms")
        ratio = min(theirs) / min(ours)
        good &= verdict(f"{ratio:.0f} × faster than JSON through MLServer (at least 50)", ratio >= 50)
    return good


# -- 3. switching


def switching(folder: Path, stack: Stack, http: httpx.Client, pixels: np.ndarray, seconds: float) -> bool:
    """64 connections ask while an alias changes every second."""
    print(f"\n3. 64 connections for {seconds:g} s while the alias is switched every second")
    rows = pixels[:64].tolist()
    expected = {
        version: [
            said["probabilities"]
            for said in http.post(f"/v1/models/mnist/predict?version={version}", json={"rows": rows}).json()[
                "predictions"
            ]
        ]
        for version in (1, 2)
    }
    bodies = [json.dumps({"rows": [row]}).encode() for row in rows]
    asked = requests(folder, stack.port, "/v1/models/mnist/predict?alias=live", bodies)
    switched: list[tuple[float, float, int]] = [(0.0, time.perf_counter(), 1)]  # asked, answered, version
    http.put("/v1/models/mnist/aliases/live", json={"version": 1}).raise_for_status()
    api, memory = psutil.Process(stack.pids["api"]), []
    answers = folder / "switching.npz"
    client = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.serving.load",
            "127.0.0.1",
            str(stack.port),
            asked,
            "64",
            str(seconds),
            answers,
        ]
    )
    while client.poll() is None:
        time.sleep(1.0)  # the pace at which models are switched
        memory.append(api.memory_info().rss)
        start = time.perf_counter()
        version = 3 - switched[-1][2]
        http.put("/v1/models/mnist/aliases/live", json={"version": version}).raise_for_status()
        switched.append((start, time.perf_counter(), version))
    found = read(answers)
    failed = int((found["statuses"] != 200).sum())
    documents = [json.loads(body_of(found, place) or b"{}") for place in range(len(found["ends"]))]
    wrong = late = 0
    for number, place, started, took, status in zip(
        *(found[name].tolist() for name in ("numbers", "body", "started", "took", "statuses")), strict=True
    ):
        if status != 200:
            continue
        said = documents[place]
        wrong += said["predictions"][0]["probabilities"] != expected[said["version"]][number]
        # Right are the version that was live when the request was sent, and those that became live before its answer.
        live = [v for _, done, v in switched if done <= started][-1:]
        live += [v for begun, done, v in switched if begun < started + took and done > started]
        late += said["version"] not in live
    settled = memory[len(memory) // 5 :]
    first, last = settled[0] / 2**20, settled[-1] / 2**20
    print(f"{len(found['took']):,} requests, {len(switched) - 1} switches, {failed} failed")
    print(f"memory of the API: {first:.1f} MiB after a fifth of the time, {last:.1f} at the end")
    good = verdict("no request failed", not failed)
    good &= verdict("no prediction of another version than it says", not wrong)
    good &= verdict("no answer of a version that was not live", not late)
    return verdict(f"memory grew by {last - first:.1f} MiB (at most 2)", last - first <= 2) and good


# -- servers and clients

PORTS: dict[str, int] = {}


@contextmanager
def plain_fastapi(folder: Path, weights: Path) -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.serving.plain_fastapi:app", "--port", str(port),
               "--no-access-log", "--log-level", "warning"]  # fmt: skip
    with served(folder / "plain.log", command, {"WEIGHTS": str(weights)}, f"http://127.0.0.1:{port}/docs") as process:
        yield port, process


@contextmanager
def mlserver(folder: Path, python: Path, weights: Path) -> Iterator[tuple[int, int]]:
    port = PORTS["mlserver"] = free_port()
    where = folder / "mlserver"
    maker = Path(__file__).with_name("mlserver_model.py")
    subprocess.run([python, maker, weights, where, str(port)], check=True)
    command = [str(python.with_name("mlserver")), "start", str(where)]
    ready = f"http://127.0.0.1:{port}/v2/models/mnist/ready"
    with served(folder / "mlserver.log", command, {}, ready) as process:
        yield port, process


@contextmanager
def served(log: Path, command: list[str], environment: dict[str, str], ready: str) -> Iterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | ONE_CORE | environment)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            with suppress(httpx.TransportError):
                if httpx.get(ready).status_code == 200:
                    break
            time.sleep(0.1)  # another program: there is nothing to wait on, only its answer to ask for
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def process_with_port(module: str, *arguments: str) -> Iterator[int]:
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | ONE_CORE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(20)


def asked_bytes(body: bytes, path: str = "/v1/models/mnist/predict?alias=live") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def requests(folder: Path, port: int, path: str, bodies: list[bytes]) -> Path:
    made = [asked_bytes(body, path) for body in bodies]
    where = folder / f"requests-{port}-{len(bodies)}.npz"
    np.savez(where, bytes=np.frombuffer(b"".join(made), np.uint8), ends=np.cumsum([len(one) for one in made]))
    return where


def load(folder: Path, port: int, asked: Path, connections: int, seconds: float) -> Answers:
    answers = folder / "answers.npz"
    command = [sys.executable, "-m", "benchmarks.serving.load", "127.0.0.1", str(port), asked, str(connections),
               str(seconds), answers]  # fmt: skip
    subprocess.run(command, check=True)
    return read(answers)


def read(path: Path) -> Answers:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def body_of(found: Answers, place: int) -> bytes:
    start = int(found["ends"][place - 1]) if place else 0
    return found["bodies"][start : int(found["ends"][place])].tobytes()


def received(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        parts += connection.recv(length - len(parts))
    return bytes(parts)


def busy(process: int) -> float:
    """Seconds of processor that a process and its children have used."""
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def verdict(says: str, holds: bool) -> bool:
    print(f"{'holds' if holds else 'FAILS'}: {says}")
    return holds


if __name__ == "__main__":
    sys.exit(main())
