"""The whole stack where nothing is as on the developers' machines.

The system has none of Linux's own calls (as macOS), the environment holds what is declared and no more, and the
current folder is full of modules that have the names of ours.
"""

import io
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from arro3.core import Array, DataType, RecordBatch
from arro3.io import write_parquet
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import engine
import service
import trainshed
import worker
from engine.data.formats import decoding_process
from engine.data.formats.parquet import parquet_decoder
from tests.until import CEILING, until
from trainshed import Client
from worker.queue import redis_supervisor

ELSEWHERE = Path(__file__).with_name("elsewhere")
SERVICE = Path(__file__).parents[2]
CLIENT = SERVICE / "client"
STRANGERS = ("worker.py", "engine/__init__.py", "service/__init__.py", "yaml/__init__.py", "socket.py", "random.py")


def declared(folders: Iterable[Path]) -> set[str]:
    """The distributions that installing these brings: what is asked for, and what that asks for."""
    projects = [tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in folders]
    lines = [line for project in projects for line in (project["name"], *project["dependencies"])]
    wanted, found = [Requirement(line).name for line in lines], set[str]()
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needed = map(Requirement, requires(name) or ())
        except PackageNotFoundError:  # of another system
            continue
        wanted += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def undeclared(*folders: Path) -> list[str]:
    """Modules that this environment has for other reasons."""
    brought = declared(folders)
    owners = packages_distributions().items()
    return [module for module, of in owners if not brought & set(map(canonicalize_name, of)) and module.isidentifier()]


@pytest.fixture(scope="module")
def bare() -> dict[str, str]:
    """The environment of such a place."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINSHED_", "PYTHON"))}
    return inherited | {"PYTHONPATH": str(ELSEWHERE), "NOT_DECLARED": ",".join(undeclared(SERVICE, CLIENT))}


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of somebody else's modules; whoever imports one of them is told so."""
    folder = tmp_path_factory.mktemp("strange")
    for name in STRANGERS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"raise ImportError('the stranger {name} was imported')\n")
    return folder


@pytest.fixture(scope="module")
def client(bare, strange, tmp_path_factory) -> Iterator[Client]:
    """A client of a service that was started there, after all that."""
    environment = bare | {"TRAINSHED_DATA_DIR": str(tmp_path_factory.mktemp("data")), "PYTHONUNBUFFERED": "1"}
    trainshed = Path(sys.executable).with_name("trainshed")
    command = [trainshed, "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=strange, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                break
        else:
            pytest.fail("".join(said))
        with Client(re.search(r"http://[\d.:]+", "".join(said))[0]) as connected:
            yield connected
        process.terminate()
        process.communicate(timeout=CEILING)


def test_the_smallest_job_is_trained_and_predicts(client) -> None:
    job = client.jobs.wait(client.jobs.submit({"data": {"train": "digits", "target": "label"}})["id"], 120)
    assert job["state"] == "succeeded"
    row = client.datasets.preview("digits", limit=1)["rows"][0]
    (said,) = client.jobs.predict(job["id"], [{"pixels": row["pixels"]}])
    assert said["label"] == row["label"]
    (worker,) = client.workers.list()
    assert worker["memory_bytes"] > 1 << 20


def test_parquet_is_read_and_onnx_is_written(client, tmp_path) -> None:
    columns = [
        Array([float(number) for number in range(40)], DataType.float64()),
        Array(["a", "b"] * 20, DataType.string()),
    ]
    written = io.BytesIO()
    write_parquet(RecordBatch.from_arrays(columns, names=["x", "y"]), written)
    client.datasets.upload("letters", written.getvalue(), "application/vnd.apache.parquet")
    wanted = {"data": {"train": "letters", "target": "y"}, "training": {"epochs": 1}, "register_as": "letters"}
    client.jobs.wait(client.jobs.submit(wanted)["id"], 120)
    said = client.models.predict("letters", [[3.0]])["predictions"][0]
    client.models.download("letters", tmp_path / "letters.onnx", format="onnx")
    session = onnxruntime.InferenceSession(tmp_path / "letters.onnx", providers=["CPUExecutionProvider"])
    outputs = dict(zip((out.name for out in session.get_outputs()), session.run(None, {"input": [[3.0]]}), strict=True))
    assert outputs["label"][0] == said["label"]


def test_the_client_alone_has_the_command() -> None:
    missing = ",".join(["engine", "worker", "service", *undeclared(CLIENT)])
    environment = {"PYTHONPATH": str(ELSEWHERE), "NOT_DECLARED": missing, "TRAINSHED_URL": "http://127.0.0.1:9"}
    command = [sys.executable, "-P", "-m", "trainshed", "job", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stderr.startswith("no answer from http://127.0.0.1:9"), done.stderr


def test_every_python_process_of_ours_is_started_apart_from_the_current_folder() -> None:
    sources = [
        path for package in (engine, worker, service, trainshed) for path in Path(package.__path__[0]).rglob("*.py")
    ]
    flags = [flag for path in sources for flag in re.findall(r'\[sys\.executable, "(-\w)"', path.read_text())]
    assert len(flags) >= 4 and set(flags) == {"-P", "-I"}


def test_python_m_trainshed_passes_the_current_folder_over(folder, environment) -> None:
    (folder / "worker.py").write_text("raise ImportError('a stranger was imported')\n")
    environment |= {"TRAINSHED_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "trainshed", "alive"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stderr.startswith("no worker on"), done.stderr


def there(program: Path, *arguments: Path | str) -> list[Path | str]:
    """The command that runs one of our programs there; ours are started isolated, which PYTHONPATH does not reach."""
    code = f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')"
    return ["env", "-i", f"PYTHONPATH={ELSEWHERE}", sys.executable, "-P", "-c", code, *arguments]


def test_a_parquet_file_is_read_where_nothing_bounds_the_memory(tmp_path) -> None:
    write_parquet(RecordBatch.from_arrays([Array([1.0, 2.0], DataType.float64())], names=["x"]), tmp_path / "x.parquet")
    command = there(Path(decoding_process.__file__), Path(parquet_decoder.__file__), tmp_path / "x.parquet")
    done = subprocess.run(command, capture_output=True)
    assert not done.stderr
    assert done.stdout.endswith(np.array([1.0, 2.0]).tobytes() + b"null\n")


def test_a_server_of_our_own_is_kept_and_ended_where_the_system_ends_no_orphans(folder) -> None:
    server = folder / "server"
    server.write_text('#!/bin/sh\necho up > "$1.log"\nexec sleep 60\n')
    server.chmod(0o700)
    (folder / "own").mkdir()
    command = there(Path(redis_supervisor.__file__), server, folder / "own" / "redis.conf")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as supervisor:
        until(lambda: (folder / "own" / "redis.conf.log").exists() or supervisor.poll() is not None)
        _, said = supervisor.communicate(timeout=CEILING)
    assert not said and supervisor.returncode == 0
    assert not (folder / "own").exists()
