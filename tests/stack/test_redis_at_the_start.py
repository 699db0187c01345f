"""What a command does at its start about a Redis that is away, that refuses it, or that nobody has named."""

import pytest
import structlog
from typer.testing import CliRunner

import service.server
import worker.process.logs
import worker.process.parent
from trainshed.cli import app


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Run a command over this Redis; `start.began` has what would go on, and `start.logged` what was logged."""
    began, logged = [], []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker.process.logs, "configure_logs", lambda *_: None)  # the test's own hold on
    monkeypatch.setattr(worker.process.parent, "run_worker", lambda *_: began.append("worker") or 0)
    monkeypatch.setattr(service.server, "run_api", lambda *_: began.append("api") or 0)

    def run(command: str, redis_url: str | None):
        settings = {"TRAINSHED_DATA_DIR": "data", "TRAINSHED_PORT": "0", "TRAINSHED_REDIS_URL": redis_url}
        with structlog.testing.capture_logs() as events:
            result = CliRunner(env=settings).invoke(app, [command])
        logged.extend(events)
        return result

    run.began, run.logged = began, logged
    return run


@pytest.mark.parametrize("command", ["worker", "api"])
def test_one_that_is_away_is_named_and_waited_for(command, start) -> None:
    result = start(command, "redis://:hunter2@127.0.0.1:9/0")
    assert (result.exit_code, start.began) == (0, [command])
    (event,) = start.logged
    assert event["detail"].startswith("nothing listens at redis://127.0.0.1:9/0, where a Redis should; start it, or")
    assert "hunter2" not in str(event) + result.output


def test_a_stack_does_not_start_without_it(start) -> None:
    result = start("serve", "redis://:hunter2@127.0.0.1:9/0")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, line) == (
        1,
        "nothing listens at redis://127.0.0.1:9/0, where a Redis should; start it, or correct TRAINSHED_REDIS_URL",
    )


def test_one_that_refuses_the_password_ends_a_worker_and_not_the_api(start, redis_url) -> None:
    refused = f"unix://trainshed:hunter2@{redis_url.partition('@')[2]}"
    ended = start("worker", refused)
    (line,) = ended.stderr.splitlines()
    assert (ended.exit_code, start.began) == (1, [])
    assert "refuses the user or the password of its address; correct TRAINSHED_REDIS_URL" in line
    kept = start("api", refused)
    assert (kept.exit_code, start.began) == (0, ["api"])
    assert "hunter2" not in line + kept.output + str(start.logged)


@pytest.mark.parametrize("command", ["worker", "api"])
def test_without_one_and_without_a_stack_it_is_said_what_to_do(command, start) -> None:
    result = start(command, None)
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, start.began) == (1, [])
    assert "`trainshed serve`" in line and "set TRAINSHED_REDIS_URL" in line
