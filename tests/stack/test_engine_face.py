"""`trainshed.engine` is our engine, whatever lies in the current folder; a notebook looks there first."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import engine
import trainshed.engine

OURS = Path(engine.__file__)


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """As a notebook does: the current folder stands first on the path."""
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)


@pytest.fixture(params=["engine.py", "engine/__init__.py"])
def folder(request, tmp_path) -> Path:
    """A folder with an engine of somebody else's."""
    stranger = tmp_path / request.param
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("STRANGE = True\n")
    return tmp_path


def test_every_name_is_the_engine_s_own_object() -> None:
    assert trainshed.engine.__all__ == engine.__all__
    for name in engine.__all__:
        assert getattr(trainshed.engine, name) is getattr(engine, name)


def test_a_stranger_s_engine_in_the_current_folder_does_not_hide_ours(folder) -> None:
    program = (
        "from trainshed.engine import JobSpec, load_sample, prepare, train, Network, __all__\n"
        "import engine, engine.diagnosis, trainshed.engine\n"
        "assert engine.JobSpec is JobSpec is trainshed.engine.JobSpec\n"
        "print(engine.__file__, engine.diagnosis.__file__)"
    )
    done = run(folder, program)
    assert done.stdout.split() == [str(OURS), str(OURS.with_name("diagnosis.py"))], done.stderr


def test_a_stranger_s_engine_that_came_first_is_named(folder) -> None:
    done = run(folder, "import engine\nimport trainshed.engine")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: another module called 'engine' is in use already")
    assert str(folder) in last and "rename it" in last


def test_where_only_the_client_is_installed_a_sentence_says_what_is_missing(monkeypatch) -> None:
    def distribution(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    with pytest.raises(ImportError, match="needs the engine, and only the client is installed here"):
        importlib.reload(trainshed.engine)
