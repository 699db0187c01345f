"""CuPy is for the process that trains on a GPU: nobody else loads it, and what forks never does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import JobSpec
from worker.domain.work_items import Status
from worker.process.gpu_check import require_gpu
from worker.settings import Settings
from worker.settings_sources import InvalidSettings
from worker.work.environment import differences, environment
from worker.workspace import Workspace

ROOT = Path(__file__).parents[2]
BROKEN = """
import os
with open(os.environ["LOADED"], "a") as file:
    print(os.getpid(), file=file)
raise ImportError("libcuda.so.1 is missing")
"""
CPU_JOB = """
import sys
import numpy as np
import worker.process.parent, worker.process.child, worker.work.train
from engine import Dataset, JobSpec, Network, Table, prepare, train
fields = {"data": {"train": "toy", "target": "label"}, "training": {"epochs": 2}, "device": "cpu"}
spec = JobSpec.model_validate(fields)
toy = Dataset({"train": Table({"x": np.arange(40.0), "label": np.arange(40) % 2})})
data = prepare(spec.data, {"toy": toy}, dtype="float32")
*_, last = train(Network.of(spec, data.preprocessor), spec, data)
assert last.result["epochs"] == 2
assert not [name for name in sys.modules if name.startswith(("cupy", "engine.gpu"))]
"""


@pytest.fixture
def broken_cupy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CuPy without a driver, which writes down who loads it."""
    folder, loaded = tmp_path / "site" / "cupy", tmp_path / "loaded"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(BROKEN)
    loaded.touch()
    monkeypatch.setenv("LOADED", str(loaded))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder.parent), str(ROOT)]))
    return loaded


def test_a_job_on_the_cpu_loads_no_cupy(broken_cupy: Path) -> None:
    subprocess.run([sys.executable, "-P", "-c", CPU_JOB], cwd=ROOT, check=True)
    assert broken_cupy.read_text() == ""


NO_CHECK = (
    "import sys; from worker.process import parent; parent.require_gpu = lambda settings: None; "
    "sys.exit(parent.run_worker(parent.Settings()))"
)


def test_the_one_child_of_a_gpu_worker_loads_cupy_and_the_parent_never_does(
    broken_cupy: Path, fleet: Callable[..., Any], spec: Callable[..., JobSpec], until: Callable[..., None]
) -> None:
    running = fleet(queues=("gpu", "cpu"), concurrency=2)
    backend: Workspace = running.backend
    worker = running.start_worker(NO_CHECK)  # as if the GPU had gone after the worker has looked for it
    until(lambda: backend.fleet.workers())
    (child,) = backend.fleet.workers()
    assert child.device == "cpu"  # as long as no GPU has been found

    job = backend.jobs.wait(backend.jobs.submit(spec(device="gpu")).id, 60)
    assert job.state is Status.FAILED and job.error is not None
    assert job.error.code == "device_unavailable" and "libcuda.so.1 is missing" in job.error.message

    job = backend.jobs.wait(backend.jobs.submit(spec(device="auto")).id, 60)
    assert job.state is Status.SUCCEEDED and job.environment is not None
    assert job.environment["device"] == "cpu"
    (started,) = (event for event in backend.jobs.events(job.id, limit=100).data if event.type == "started")
    assert started.data["device"] == "cpu" and "libcuda.so.1 is missing" in str(started.data["because"])

    assert {int(pid) for pid in broken_cupy.read_text().split()} == {child.pid}
    assert [process.pid for process in psutil.Process(worker.pid).children()] == [child.pid]


def test_a_worker_for_gpus_does_not_start_without_one(broken_cupy: Path) -> None:
    require_gpu(Settings(queues=("cpu",)))
    assert broken_cupy.read_text() == ""
    with pytest.raises(InvalidSettings) as refused:
        require_gpu(Settings(queues=("cpu", "gpu")))
    said = "TRAINSHED_QUEUES names gpu, but no GPU can be used here: CuPy does not load: libcuda.so.1 is missing"
    assert str(refused.value) == said
    assert len(broken_cupy.read_text().split()) == 1 and int(broken_cupy.read_text()) != os.getpid()


def test_a_resume_on_another_device_says_so() -> None:
    here = environment()
    assert here["device"] == "cpu" and differences(here, environment()) == {}
    assert differences(here, environment("NVIDIA H200")) == {"device": ["cpu", "NVIDIA H200"]}
    before = {name: value for name, value in here.items() if name != "device"}  # as older versions wrote it
    assert differences(before, here) == {}
