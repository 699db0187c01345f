"""docker-compose.yml and deploy/ say nothing that the code does not know."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from trainshed.cli import app
from worker.queue.embedded_redis import CONFIGURATION
from worker.settings import Settings, read_settings

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES, SECRETS = COMPOSE["services"], COMPOSE["secrets"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
COMMANDS = set(get_command(app).commands)
VARIABLES = {f"TRAINSHED_{name.upper()}" for name in Settings.model_fields}


def test_the_fleet_is_complete() -> None:
    assert set(SERVICES) == {"api", "worker", "worker-gpu", "redis", "postgres"}
    assert [name for name, service in SERVICES.items() if service.get("profiles")] == ["worker-gpu"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists_from_a_target_that_exists(name) -> None:
    service = OURS[name]
    program, *arguments = service["command"]
    assert program == "trainshed"
    assert len(arguments) == 1
    assert arguments[0] in COMMANDS
    target = service["build"]["target"]
    stage = re.search(rf"FROM run AS {target}\n(.*?)(?:\nFROM|\Z)", DOCKERFILE, re.DOTALL)
    assert stage, f"no stage {target}"
    assert f'CMD ["trainshed", "{arguments[0]}"]' in stage[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder of secrets that the script makes."""
    folder = tmp_path_factory.mktemp("deploy") / "secrets"
    subprocess.run(["sh", REPOSITORY / "deploy" / "make-secrets", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_configured_with_settings_that_exist(name, made, monkeypatch) -> None:
    service = OURS[name]
    monkeypatch.chdir(made)
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("TRAINSHED_SECRETS_DIR", str(made))
    settings = read_settings()
    assert settings.queues == (("gpu",) if name == "worker-gpu" else ("cpu",))
    assert str(settings.data_dir) == service["volumes"][0].partition(":")[2]
    assert settings.database_url and settings.redis_url
    for url, host in ((settings.database_url, "postgres"), (settings.redis_url, "redis")):
        password = (made / f"{host}_password").read_text()
        assert f"//trainshed:{password}@{host}:" in url.get_secret_value()


def test_a_service_sees_the_secrets_that_it_needs_and_its_environment_none(made) -> None:
    assert set(SECRETS) == {file.name for file in made.iterdir()}
    assert {name: secret["file"] for name, secret in SECRETS.items()} == {name: f"secrets/{name}" for name in SECRETS}
    for name, service in SERVICES.items():
        assert set(service["secrets"]) <= set(SECRETS), name
        named = set(re.findall(r"/run/secrets/(\w+)", yaml.safe_dump(service)))
        assert named <= set(service["secrets"]), name
        assert not [value for value in service.get("environment", {}).values() if "://" in value or "$" in value], name
    assert {tuple(service["secrets"]) for service in OURS.values()} == {
        ("trainshed_database_url", "trainshed_redis_url")
    }


def test_secrets_are_made_once_and_are_closed_to_others_on_the_machine(made) -> None:
    assert made.stat().st_mode & 0o777 == 0o700
    before = {file.name: file.read_text() for file in made.iterdir()}
    passwords = [before["postgres_password"], before["redis_password"]]
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in passwords) and len(set(passwords)) == 2
    again = subprocess.run(["sh", REPOSITORY / "deploy" / "make-secrets", made], capture_output=True, text=True)
    assert again.returncode == 1 and "is there already" in again.stderr
    assert {file.name: file.read_text() for file in made.iterdir()} == before
    for ignored in (".gitignore", ".dockerignore"):
        assert {"secrets", ".env"} <= {line.rstrip("/") for line in (REPOSITORY / ignored).read_text().splitlines()}


def test_the_images_set_variables_that_exist() -> None:
    assert set(re.findall(r"\bTRAINSHED_[A-Z_]+", DOCKERFILE)) <= VARIABLES


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_of_a_command_that_exists(name) -> None:
    kind, program, *arguments = SERVICES[name]["healthcheck"]["test"]
    assert kind == ("CMD-SHELL" if name == "redis" else "CMD")  # redis-cli reads a password from its environment only
    if program == "trainshed":
        assert arguments[0] in COMMANDS


@pytest.mark.parametrize("name", OURS)
def test_our_services_wait_for_healthy_ones_and_have_no_rights(name) -> None:
    waits = OURS[name]["depends_on"]
    assert waits == {other: {"condition": "service_healthy"} for other in ("postgres", "redis")}
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["read_only"]
    assert "USER trainshed" in DOCKERFILE


def test_redis_grants_what_the_embedded_one_grants(made) -> None:
    embedded = re.search(r"^user \{user\} (.*)$", CONFIGURATION, re.MULTILINE)
    users = (made / "redis_users").read_text()
    fleet = re.search(r"^user trainshed (.*)$", users, re.MULTILINE)
    assert re.sub(r">\S*", "", embedded[1]).split() == re.sub(r">\S*", "", fleet[1]).split()
    assert f">{(made / 'redis_password').read_text()} " in users
    assert "user default off" in users
