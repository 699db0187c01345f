"""Clients that others' generators make of /openapi.json, with their usual options, submit a job and predict."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.until import CEILING
from trainshed import Client
from trainshed.stack import Stack

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-generators"
PROGRAMS = Path(__file__).parent
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
Run = Callable[..., str]


@pytest.fixture(scope="module")
def document(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The running stack's document, in a file."""
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_text(httpx.get(f"{stack.url}/openapi.json", timeout=CEILING).text)
    return file


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program in an empty folder, those of the generators' environment first; its output."""
    assert (HOME / ".ready").exists(), "the generators are not installed; `make generators` does it"
    path = f"{HOME / 'bin'}:{HOME / 'node_modules/.bin'}:{os.environ['PATH']}"

    def output(*command: object) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout[-5000:]}{done.stderr[-5000:]}"
        return done.stdout + (done.stderr if command[0] != "python" else "")

    return output


def assert_as_our_own(said: dict[str, Any], client: Client) -> None:
    """The generated client was told what our own is."""
    assert said["state"] == "succeeded" and said["parameters"] == 4 * 3 + 3
    spec = client.jobs.get(said["job"])["spec"]
    assert spec["layers"] == [{"type": "dense", "units": said["units"], "bias": True}, {"type": "tanh"}]
    assert (said["units"], spec["optimizer"]["learning_rate"]) == (8, 0.01)
    assert said["predictions"] == said["served"] == client.jobs.predict(said["job"], ROWS)
    assert said["code"] == "unknown_dataset" and said["rows"] == 2


@pytest.mark.generators
def test_the_document_is_valid(document: Path, run: Run) -> None:
    assert run("openapi-spec-validator", document).strip().endswith("OK")


@pytest.mark.generators
def test_openapi_typescript(document: Path, run: Run, tmp_path: Path, stack: Stack, client: Client) -> None:
    if not (HOME / "node_modules").exists():
        pytest.skip("no npm on the PATH when .venv-generators was set up")
    for file in ("package.json", "tsconfig.json", "submit_and_predict.ts"):
        shutil.copy(PROGRAMS / file, tmp_path)
    (tmp_path / "node_modules").symlink_to(HOME / "node_modules")
    run("openapi-typescript", document, "-o", "schema.ts")
    run("tsc")
    said = json.loads(run("node", "submit_and_predict.js", stack.url))
    assert_as_our_own(said, client)
    assert said["last"] == "event: done" and said["listed"] == said["job"]


@pytest.mark.generators
def test_openapi_python_client(document: Path, run: Run, tmp_path: Path, stack: Stack, client: Client) -> None:
    said = run("openapi-python-client", "generate", "--path", document, "--meta", "none")
    assert "Unable to process" not in said, said
    for warning in said.split("WARNING parsing ")[1:]:  # of files it takes those in forms, and hands out bytes
        assert re.search("unsupported content.type", warning.partition("\n{")[0], re.IGNORECASE), warning
    paths = json.loads(document.read_text())["paths"].values()
    made = {file.stem for file in (tmp_path / "trainshed_client/api").glob("*/*.py")}
    assert {operation["operationId"] for methods in paths for operation in methods.values()} <= made
    shutil.copy(PROGRAMS / "attrs_session.py", tmp_path)
    assert_as_our_own(json.loads(run("python", "attrs_session.py", stack.url)), client)


@pytest.mark.clients
def test_openapi_generator(document: Path, run: Run, tmp_path: Path, stack: Stack, client: Client) -> None:
    if shutil.which("java") is None:
        pytest.skip("no java on the PATH")
    run("openapi-generator-cli", "generate", "-g", "python", "-i", document, "-o", ".", "--package-name", "generated")
    shutil.copy(PROGRAMS / "pydantic_session.py", tmp_path)
    assert_as_our_own(json.loads(run("python", "pydantic_session.py", stack.url, document)), client)
