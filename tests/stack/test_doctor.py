"""`trainshed doctor` says what is there, and exits non-zero when something cannot work."""

import http.server
import re
import socket
import threading

import pytest
from typer.testing import CliRunner

from trainshed.cli import app


@pytest.fixture
def examine(tmp_path):
    """The doctor's report with these settings."""

    def invoke(**settings: str):
        chosen = {"TRAINSHED_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "300"} | settings
        return CliRunner(env=chosen).invoke(app, ["doctor"])

    return invoke


def test_a_sound_machine_passes_and_nothing_is_made_on_it(examine, tmp_path) -> None:
    report = examine()
    assert report.exit_code == 0, report.output
    for subject in ("numpy", "celery", "SQLite", "BLAS", "GiB are free", "Redis", "Nothing is broken."):
        assert subject in report.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_speaks_in_sentences_that_fit_a_terminal_and_are_not_cut_short(examine, tmp_path) -> None:
    report = examine(COLUMNS="80", TRAINSHED_CONCURRENCY="2")
    assert max(len(line) for line in report.stdout.splitlines()) <= 80
    assert "…" not in report.stdout
    folded = "".join(line[16:].rstrip() for line in report.stdout.splitlines())
    assert str(tmp_path / "data" / "trainshed.db") in folded
    assert "a worker trains 2 jobs at a time" in folded
    for line in examine().stdout.splitlines():
        detail = re.sub(r"^\S+ +(ok|note|broken) +", "", line).rstrip()
        assert re.fullmatch(r"([A-Z0-9`/]|numpy ).*\.", detail), detail


def test_the_redis_in_use_is_named(examine, redis_url) -> None:
    own = examine()
    assert "valkey-server" in own.stdout and "workers of this machine only" in own.stdout
    given = examine(TRAINSHED_REDIS_URL=redis_url)
    assert given.exit_code == 0
    assert f"unix://{redis_url.partition('@')[2]} answers" in given.stdout


def test_a_port_is_free_or_ours_or_somebody_else_s(examine, stack) -> None:
    ours = examine(TRAINSHED_PORT=str(stack.port))
    assert f"A trainshed answers at {stack.url} already." in ours.stdout
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert f"Port {port} on 127.0.0.1 is free." in examine(TRAINSHED_PORT=str(port)).stdout
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as stranger:
        thread = threading.Thread(target=stranger.handle_request)
        thread.start()
        theirs = examine(TRAINSHED_PORT=str(stranger.server_port))
        thread.join()
    assert f"Port {stranger.server_port} on 127.0.0.1 is in use by another program" in theirs.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TRAINSHED_DATA_DIR": "/proc/trainshed"}, "/proc cannot be written to (No such file or directory)"),
        ({"TRAINSHED_QUEUES": "gpu"}, "Without CuPy nothing trains on a GPU"),
        ({"TRAINSHED_REDIS_URL": "redis://:secret@127.0.0.1:9/0"}, "othing listens at redis://127.0.0.1:9/0"),
        (
            {"TRAINSHED_DATABASE_URL": "postgresql://me:secret@127.0.0.1:9/db"},
            "No PostgreSQL listens at 127.0.0.1:9: start it, or correct host and port in TRAINSHED_DATABASE_URL.",
        ),
        ({"TRAINSHED_DISK_RESERVE_BYTES": "1000000 GB"}, "are kept: make room"),
    ],
)
def test_what_is_broken_is_said_and_makes_the_exit_status(examine, settings, said) -> None:
    report = examine(**settings)
    assert report.exit_code == 1, report.output
    assert said in report.stdout
    assert "secret" not in report.output
    assert re.search(r"^Broken: \w+\.$", report.stdout, re.MULTILINE)


def test_a_file_that_is_no_database_is_broken(examine, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "trainshed.db").write_bytes(b"not a database, but long enough to look" * 100)
    report = examine()
    assert report.exit_code == 1
    assert f"{tmp_path}/data/trainshed.db is no database of SQLite, or damaged" in report.stdout
