"""docker-compose.yml and deploy/ say nothing that the code does not know."""

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from trainshed.cli import app
from worker.embedded_redis import CONFIGURATION
from worker.settings import Settings

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()

SERVICES = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
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


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_configured_with_settings_that_exist(name) -> None:
    service = OURS[name]
    assert set(service["environment"]) <= VARIABLES
    filled_in = {name: re.sub(r"\$\{.*?\}", "secret", value) for name, value in service["environment"].items()}
    fields = {name.removeprefix("TRAINSHED_").lower(): value for name, value in filled_in.items()}
    settings = Settings(**fields)
    assert settings.queues == (("gpu",) if name == "worker-gpu" else ("cpu",))
    assert str(settings.data_dir) == service["volumes"][0].partition(":")[2]


def test_the_images_set_variables_that_exist() -> None:
    assert set(re.findall(r"\bTRAINSHED_[A-Z_]+", DOCKERFILE)) <= VARIABLES


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_of_a_command_that_exists(name) -> None:
    kind, program, *arguments = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    if program == "trainshed":
        assert arguments[0] in COMMANDS


@pytest.mark.parametrize("name", OURS)
def test_our_services_wait_for_healthy_ones_and_have_no_rights(name) -> None:
    waits = OURS[name]["depends_on"]
    assert waits == {other: {"condition": "service_healthy"} for other in ("postgres", "redis")}
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["read_only"]
    assert "USER trainshed" in DOCKERFILE


def test_redis_grants_what_the_embedded_one_grants() -> None:
    embedded = re.search(r"^user \{user\} (.*)$", CONFIGURATION, re.MULTILINE)
    content = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["configs"]["redis-acl"]["content"]
    fleet = re.search(r"^user trainshed (.*)$", content, re.MULTILINE)
    assert re.sub(r">\S*", "", embedded[1]).split() == re.sub(r">\$\{.*?\}", "", fleet[1]).split()
    assert "user default off" in content
