"""What keeps a process from starting is a line on stderr that says what to do, and an exit status; no traceback."""

import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from typer.testing import CliRunner

from trainshed.cli import app

COMMANDS = ("serve", "api", "worker", "doctor", "alive", "demo")


@pytest.fixture
def ended(monkeypatch, tmp_path, redis_url) -> Callable[..., Result]:
    """Run a command to its end, with these variables; nothing that it starts is left."""
    monkeypatch.chdir(tmp_path)

    def run(command: str, **variables: str) -> Result:
        usual = {"DATA_DIR": str(tmp_path / "data"), "PORT": "0", "REDIS_URL": redis_url}
        chosen = {f"TRAINSHED_{name}": value for name, value in usual.items()} | variables
        return CliRunner(env=chosen).invoke(app, [command])

    return run


def assert_one_line(result: Result, status: int, *words: str) -> None:
    """The command ended with the status, and with one line on stderr that holds the words."""
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    (line,) = result.stderr.splitlines()
    assert all(word in line for word in words), line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_setting_ends_every_command_with_a_line_for_each(command, ended, tmp_path) -> None:
    result = ended(
        command,
        TRAINSHED_MAX_BODY_BYTES="12 parsecs",
        TRAINSHED_CONCURENCY="2",
        TRAINSHED_DATABASE_URL="postgresql//me:hunter2@host/name",
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "TRAINSHED_CONCURENCY is no setting. Did you mean 'TRAINSHED_CONCURRENCY'?",
        "TRAINSHED_DATABASE_URL must be an address such as postgresql://user:password@host/name "
        "or sqlite:////folder/file.db",
        "TRAINSHED_MAX_BODY_BYTES is '12 parsecs'; it must be a number of bytes, or a number with a unit such as "
        "512 MiB or 1 GB (1 GB is 1000 MB, 1 GiB is 1024 MiB)",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "api", "worker"])
def test_a_data_folder_that_cannot_be_made_is_named(command, ended, tmp_path) -> None:
    (tmp_path / "file").touch()
    result = ended(command, TRAINSHED_DATA_DIR=f"{tmp_path}/file/data")
    assert_one_line(result, 2, f"{tmp_path}/file/data cannot be made", "TRAINSHED_DATA_DIR")


@pytest.mark.parametrize("command", ["worker", "alive"])
def test_a_database_that_is_not_there_is_named_without_its_password(command, ended) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    result = ended(command, TRAINSHED_DATABASE_URL=f"postgresql://me:hunter2@127.0.0.1:{port}/name")
    assert_one_line(result, 1, f"no PostgreSQL listens at 127.0.0.1:{port}")
    assert "hunter2" not in result.stderr


class Stranger(http.server.BaseHTTPRequestHandler):
    """Says to everybody that it is ready, and remembers whom it was asked by."""

    asked: list[str] = []  # noqa: RUF012 - the test's, which there is one of

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ready": true}')

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else answers."""
    Stranger.asked.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", ["serve", "api"])
def test_a_taken_port_is_named_and_whoever_has_it_is_asked_nothing(command, ended, taken) -> None:
    result = ended(command, TRAINSHED_PORT=str(taken))
    assert_one_line(result, 1, f"port {taken} on 127.0.0.1 is in use", "--port", "TRAINSHED_PORT")
    assert Stranger.asked == []


@pytest.mark.parametrize(
    ("host", "words"), [("192.0.2.1", "this machine has no such address"), ("nowhere.invalid", "no host 'nowhere")]
)
def test_an_address_that_is_not_this_machine_s_is_named(ended, host, words) -> None:
    assert_one_line(ended("api", TRAINSHED_HOST=host), 1, words, "TRAINSHED_HOST")


def test_a_worker_for_gpus_says_what_is_missing(ended, monkeypatch, tmp_path) -> None:
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy" / "__init__.py").write_text("raise ImportError('libcuda.so.1 is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = ended("worker", TRAINSHED_QUEUES="gpu")
    assert_one_line(result, 2, "TRAINSHED_QUEUES names gpu", "libcuda.so.1 is missing")


def test_a_process_says_it_as_it_is_said_here(folder, environment, redis_url) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    variables = {
        "TRAINSHED_DATA_DIR": str(folder / "data"),
        "TRAINSHED_PORT": "0",
        "TRAINSHED_REDIS_URL": redis_url,
        "TRAINSHED_DATABASE_URL": f"postgresql://me:hunter2@127.0.0.1:{port}/name",
    }
    process = subprocess.run(
        [sys.executable, "-m", "trainshed", "api"],
        env=environment | variables,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stdout) == (1, "")
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"no PostgreSQL listens at 127.0.0.1:{port}: start it")
