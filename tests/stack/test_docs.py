"""What the pages of the documentation show is what happens."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import durationpy
import httpx
import pytest
import typer
from pydantic_core import PydanticUndefined

from tests.stack.pages import PAGES, PAPERS, README, REPOSITORY, Block, blocks, numbers, unchanging
from tests.until import CEILING
from trainshed.cli import app as command
from worker.domain.work_items import MOVES
from worker.settings import Settings

HERE = "http://127.0.0.1:8000"
OPERATIONS = REPOSITORY / "docs" / "operations.md"
BINARY_UNITS = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
DOCS = [page for page in PAGES if page != README]
WORDS = "\n".join(page.read_text() for page in PAPERS)


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.fixture
def environment(stack) -> dict[str, str]:
    """A reader's, whose stack listens elsewhere."""
    here = {"TRAINSHED_URL": stack.url, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}
    return os.environ | here


@pytest.mark.skipif(shutil.which("curl") is None, reason="the sessions ask with curl, and there is none")
@pytest.mark.parametrize("page", [page for page in PAGES if "```console\n" in page.read_text()], ids=name)
def test_the_session_of_a_page_prints_what_it_says(page, stack, environment, tmp_path) -> None:
    # One shell runs it all, as a reader's does; a separator tells the outputs apart.
    steps = [step for block in blocks(page) if block.language == "console" and not block.needs for step in block.steps]
    script = "".join(f"{typed}\nprintf '\\036'\n" for typed, _ in steps).replace(HERE, stack.url)
    shell = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=CEILING
    )
    assert shell.returncode == 0, shell.stderr
    printed = shell.stdout.split("\036")[:-1]
    assert len(printed) == len(steps)
    for (typed, expected), output in zip(steps, printed, strict=True):
        output = output if output.endswith("\n") or not output else output + "\n"
        assert unchanging(output) == unchanging(expected), typed
        # Another BLAS may round otherwise; the story stays.
        assert numbers(output) == pytest.approx(numbers(expected), abs=0.04), typed


@pytest.mark.parametrize("page", [page for page in PAGES if "```python\n" in page.read_text()], ids=name)
def test_the_programs_of_a_page_print_what_it_says(page, stack, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block, below in pairwise([*blocks(page), Block("", "", "")]):
        if block.language == "python" and not block.needs:
            assert below.language == "text"
            exec(compile(block.text.replace(HERE, stack.url), name(page), "exec"), {})  # noqa: S102
            printed = capsys.readouterr().out
            assert unchanging(printed) == unchanging(below.text)
            assert numbers(printed) == pytest.approx(numbers(below.text), abs=0.04)


@pytest.mark.parametrize("page", PAPERS, ids=name)
def test_what_a_page_shows_is_of_its_language(page) -> None:
    for block in blocks(page):
        match block.language:
            case "console":
                subprocess.run(["bash", "-n"], input="".join(typed for typed, _ in block.steps), text=True, check=True)
            case "sh" | "bash":
                subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
            case "python":
                ast.parse(block.text)
            case "json":
                json.loads(block.text)
            case language:
                assert language == "text"


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_a_page_begins_with_what_works(page) -> None:
    first, below = [*blocks(page), Block("", "", "")][:2]
    assert not first.needs
    if first.language == "python":
        assert below.language == "text"
    else:
        assert first.language == "console" and any(output for _, output in first.steps)


@pytest.mark.parametrize("page", PAPERS, ids=name)
def test_every_link_leads_to_a_place_that_there_is(page) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue  # somebody else's page
        file, _, place = target.partition("#")
        to = page.parent / file if file else page
        assert to.exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", to.read_text(), re.MULTILINE)
            assert place in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], target


def test_every_file_that_the_pages_name_exists() -> None:
    tops = "|".join(path.name for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith("."))
    named = set(re.findall(rf"`((?:{tops})/[\w./-]*|[\w-]+\.(?:md|toml|lock)|docker-compose\.yml)`", WORDS))
    assert {"engine/spec.py", "worker/work/", "docker-compose.yml"} <= named
    assert {path for path in named if not (REPOSITORY / path).exists()} == set()


def test_every_target_of_make_that_the_pages_name_exists() -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+(?:-[a-z]+)*)", WORDS, re.MULTILINE))
    assert {"test", "bench-serving"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


def commands(group: typer.core.TyperGroup) -> list[str]:
    """The names of a group's commands, and of those of its groups."""
    found = []
    for called, each in group.commands.items():
        found += commands(each) if isinstance(each, typer.core.TyperGroup) else [called]
    return found


def test_every_command_is_mentioned() -> None:
    group = typer.main.get_command(command)
    assert isinstance(group, typer.core.TyperGroup)
    missing = [each for each in commands(group) if not re.search(rf"(`|trainshed [a-z ]*){each}\b", WORDS)]
    assert missing == []


def test_every_part_of_every_route_is_mentioned(stack) -> None:
    paths = httpx.get(f"{stack.url}/openapi.json", timeout=CEILING).json()["paths"]
    parts = {part for path in paths for part in path.split("/") if part and not part.startswith("{")}
    assert {"jobs", "rollback", "v2"} <= parts
    assert {part for part in parts if not re.search(rf"/{part}\b", WORDS)} == set()


def test_the_picture_of_the_states_has_every_legal_move() -> None:
    drawn = re.findall(r'id="([a-z]+)-([a-z]+)"', (REPOSITORY / "docs/figures/states.svg").read_text())
    assert set(drawn) == {(str(start), str(end)) for start, ends in MOVES.items() for end in ends}


def test_the_settings_table_is_the_code() -> None:
    page = OPERATIONS.read_text()
    table = page[page.index("| variable |") :].split("\n\n")[0].strip()
    assert table == settings_table()


def settings_table() -> str:
    """The table of all settings, as it belongs into the page."""
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for setting, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else _shown(setting, field.default)
        description = (field.description or "").replace("|", "\\|")
        rows.append(f"| `TRAINSHED_{setting.upper()}` | {default} | {description} |")
    return "\n".join(rows)


def _shown(setting: str, value: object) -> str:
    """As a person writes it, and a setting is read."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if setting.endswith("_seconds"):
        return durationpy.to_str(timedelta(seconds=value), extended=True)
    if setting.endswith("_bytes"):
        return next(f"{value // size} {unit}" for unit, size in BINARY_UNITS.items() if value % size == 0)
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and setting != "port" else str(value)


def test_every_default_of_the_settings_table_is_read_as_what_it_stands_for() -> None:
    rows = re.findall(r"^\| `TRAINSHED_(\w+)` \| (\S.*?) \|", OPERATIONS.read_text(), re.MULTILINE)
    shown = {setting.lower(): default for setting, default in rows}
    assert {"max_data_bytes", "max_runtime_seconds", "max_parameters", "port"} <= set(shown)
    del shown["secrets_dir"]  # a folder that there need not be
    read = Settings.model_validate(shown)
    assert {setting: getattr(read, setting) for setting in shown} == {
        setting: Settings.model_fields[setting].default for setting in shown
    }
