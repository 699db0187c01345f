"""`trainshed doctor` says what is there, and exits non-zero when something cannot work."""

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
    for subject in ("numpy", "celery", "SQLite", "BLAS", "GiB free", "Redis"):
        assert subject in report.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_redis_in_use_is_named(examine, redis_url) -> None:
    own = examine()
    assert "valkey-server" in own.stdout and "serves this machine only" in own.stdout
    given = examine(TRAINSHED_REDIS_URL=redis_url)
    assert given.exit_code == 0
    assert f"unix://{redis_url.partition('@')[2]} answers" in given.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TRAINSHED_DATA_DIR": "/proc/trainshed"}, "not writable"),
        ({"TRAINSHED_QUEUES": "gpu"}, "CuPy"),
        ({"TRAINSHED_REDIS_URL": "redis://:secret@127.0.0.1:9/0"}, "nothing listens at redis://127.0.0.1:9/0"),
        ({"TRAINSHED_DATABASE_URL": "postgresql://me:secret@127.0.0.1:9/db"}, "does not answer"),
    ],
)
def test_what_is_broken_is_said_and_makes_the_exit_status(examine, settings, said) -> None:
    report = examine(**settings)
    assert report.exit_code == 1, report.output
    assert said in report.stdout
    assert "secret" not in report.output
