"""Where settings come from, which of them counts, and the line that says what is wrong."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.settings import Settings, read_settings
from worker.settings_sources import InvalidSettings

Refuse = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, and no variable of this project's set."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("TRAINSHED_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """The lines that these variables are refused with."""

    def read(**variables: str) -> list[str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(InvalidSettings) as error:
            read_settings()
        return str(error.value).splitlines()

    return read


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("TRAINSHED_DATA_DIR", str(folder))
    monkeypatch.setenv("TRAINSHED_QUEUES", "cpu, gpu")
    monkeypatch.setenv("TRAINSHED_DATABASE_URL", "postgresql://me:hunter2@host/name")
    monkeypatch.setenv("TRAINSHED_MAX_UPLOAD_BYTES", "2 GB")
    monkeypatch.setenv("TRAINSHED_MAX_RUNTIME_SECONDS", "12h")
    monkeypatch.setenv("TRAINSHED_MAX_PARAMETERS", "60 000 000")
    monkeypatch.setenv("TRAINSHED_LOG_LEVEL", "WARNING")
    settings = read_settings()
    assert (settings.data_dir, settings.queues) == (folder, ("cpu", "gpu"))
    assert (settings.max_upload_bytes, settings.max_runtime_seconds) == (2 * 10**9, 12 * 3600)
    assert (settings.max_parameters, settings.log_level) == (60_000_000, "warning")
    assert "hunter2" not in repr(settings)
    assert all(field.description for field in Settings.model_fields.values())


def test_an_argument_stands_over_the_environment_that_over_a_file_and_that_over_a_secret(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in ("trainshed_port", "TRAINSHED_HOST", "TRAINSHED_QUEUES", "trainshed_max_rows", "postgres_password"):
        (secrets / name).write_text("1\n")
    (secrets / "TRAINSHED_QUEUES").write_text("gpu\n")
    (folder / ".env").write_text(
        f"TRAINSHED_SECRETS_DIR={secrets}\nTRAINSHED_PORT=2\nexport TRAINSHED_HOST='2'  # quoted\nTRAINSHED_QUEUES=\n"
        "TRAINSHED_MAX_PAGE=2\nPOSTGRES_PASSWORD=trainshed\nTRAINSHED_URL=http://elsewhere\n"
    )
    monkeypatch.setenv("TRAINSHED_PORT", "3")
    monkeypatch.setenv("TRAINSHED_HOST", "")  # counts as none
    monkeypatch.setenv("TRAINSHED_MAX_ROWS", "3")
    settings = read_settings(max_rows=4)
    assert settings.model_dump(include={"port", "host", "queues", "max_page", "max_rows"}) == {
        "port": 3, "host": "2", "queues": ("gpu",), "max_page": 2, "max_rows": 4
    }  # fmt: skip


def test_a_mistyped_name_is_refused_wherever_it_stands(refused: Refuse, folder: Path) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "trainshed_redis_ulr").write_text("redis://me:hunter2@host")
    (folder / ".env").write_text("TRAINSHED_DATABASE_ULR=postgresql://me:hunter2@host/name\n")
    lines = refused(TRAINSHED_CONCURENCY="2", TRAINSHED_SECRETS_DIR=str(folder / "secrets"), TRAINSHED_URL="http://me")
    assert lines == [
        "TRAINSHED_CONCURENCY is no setting. Did you mean 'TRAINSHED_CONCURRENCY'?",
        "TRAINSHED_DATABASE_ULR in .env is no setting. Did you mean 'TRAINSHED_DATABASE_URL'?",
        f"TRAINSHED_REDIS_ULR in {folder}/secrets is no setting. Did you mean 'TRAINSHED_REDIS_URL'?",
    ]


def test_what_kubernetes_says_of_services_is_passed_over(monkeypatch: pytest.MonkeyPatch, refused: Refuse) -> None:
    for service in ("TRAINSHED", "TRAINSHED_API", "TRAINSHED_REDIS_0"):
        link = {
            "SERVICE_HOST": "10.0.0.1",
            "SERVICE_PORT": "8000",
            "SERVICE_PORT_HTTP": "8000",
            "PORT": "tcp://10.0.0.1:8000",
            "PORT_8000_TCP": "tcp://10.0.0.1:8000",
            "PORT_8000_TCP_PROTO": "tcp",
            "PORT_8000_TCP_PORT": "8000",
            "PORT_8000_TCP_ADDR": "10.0.0.1",
            "PORT_53_UDP": "udp://10.0.0.1:53",
        }
        for name, value in link.items():
            monkeypatch.setenv(f"{service}_{name}", value)
    assert read_settings().port == 8000
    assert refused(TRAINSHED_API_PORT="8000", TRAINSHED_SERVICE="x")[0].startswith("TRAINSHED_API_PORT is no setting.")


def test_behind_a_link_of_kubernetes_a_file_s_port_counts(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("TRAINSHED_PORT", "tcp://10.0.0.1:8000")
    (folder / ".env").write_text("TRAINSHED_PORT=8001\n")
    assert read_settings().port == 8001


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PORT", "70000", "is '70000'; it must be at most 65535"),
        ("PORT", "http", "is 'http'; it must be a whole number"),
        ("CONCURRENCY", "0", "is '0'; it must be greater than 0"),
        ("QUEUES", "cpu,tpu", "is 'tpu'; it must be 'cpu' or 'gpu'"),
        ("LOG_FORMAT", "xml", "is 'xml'; it must be 'auto', 'console' or 'json'"),
        ("SECRETS_DIR", "/no/such/folder", "is '/no/such/folder'; it must be a folder that exists"),
        ("LEASE_SECONDS", "soon", "is 'soon'; it must be a number of seconds, or numbers with units such as 10s, 90m"),
        ("MAX_ROWS", "x" * 100, "is 'xxx"),
    ],
)
def test_a_wrong_value_is_a_line_with_the_variable_the_value_and_what_is_allowed(
    refused: Refuse, name: str, value: str, line: str
) -> None:
    (said,) = refused(**{f"TRAINSHED_{name}": value})
    assert said.startswith(f"TRAINSHED_{name} {line}")
    assert len(said) < 250


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("postgresql//me:hunter2@host/name", "must be an address such as postgresql://user:password@host/name"),
        ("postgresql://me:hunter2@host:port/name", "must be an address such as"),
        ("postgresql://me:hun@ter2@host/name", "must have no bare @ in its password; write %40 there"),
        ("postgresql://me:hunter2@host:77777/name", "must name a port of at most 65535, not 77777"),
        ("mysql://me:hunter2@host/name", "must be of kind sqlite or postgresql; mysql is not supported"),
        ("sqlite://", "must name a file"),
    ],
)
def test_a_wrong_address_of_the_database_is_a_line_without_its_secret(refused: Refuse, value: str, line: str) -> None:
    (said,) = refused(TRAINSHED_DATABASE_URL=value)
    assert said.startswith(f"TRAINSHED_DATABASE_URL {line}")
    assert "hun" not in said and "ter2" not in said


def test_a_wrong_address_of_a_redis_is_a_sentence(refused: Refuse) -> None:
    (said,) = refused(TRAINSHED_REDIS_URL="http://me:hunter2@host")
    assert said.startswith("TRAINSHED_REDIS_URL cannot be used: a Redis address is redis://")
    assert "hunter2" not in said


def test_a_wrong_value_says_in_which_file_it_stands(refused: Refuse, folder: Path) -> None:
    (folder / ".env").write_text("TRAINSHED_PORT=http\n")
    assert refused() == ["TRAINSHED_PORT in .env is 'http'; it must be a whole number"]


def test_everything_that_is_wrong_is_said_at_once(refused: Refuse) -> None:
    assert len(refused(TRAINSHED_PROT="1", TRAINSHED_PORT="x", TRAINSHED_MAX_PAGE="x")) == 3


def test_a_lease_outlives_two_heartbeats(refused: Refuse) -> None:
    (said,) = refused(TRAINSHED_LEASE_SECONDS="10s", TRAINSHED_HEARTBEAT_SECONDS="6s")
    assert "two heartbeats" in said and "TRAINSHED_LEASE_SECONDS 10" in said


def test_a_file_that_is_no_text_is_refused(refused: Refuse, folder: Path) -> None:
    (folder / ".env").write_bytes("TRAINSHED_HOST=müller\n".encode("latin-1"))
    assert refused() == [".env, or a file in the folder of secrets, is not text in UTF-8"]


def test_a_secret_that_docker_mounted_as_a_folder_is_refused(refused: Refuse, folder: Path) -> None:
    secret = folder / "secrets" / "TRAINSHED_DATABASE_URL"
    secret.mkdir(parents=True)  # as it does where the file on the host is missing
    (said,) = refused(TRAINSHED_SECRETS_DIR=str(secret.parent))
    assert str(secret) in said and "directory" in said


def test_a_home_is_found_in_a_file_as_in_a_shell(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / ".env").write_text("TRAINSHED_DATA_DIR=~/data\n")
    assert read_settings().data_dir == folder / "data"
