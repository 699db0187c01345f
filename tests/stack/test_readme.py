"""What the README shows is what happens."""

import ast
import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import durationpy
import pytest
from pydantic_core import PydanticUndefined

from tests.until import CEILING
from worker.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()
SESSION = re.search(r"```console\n(.*?)```", README, re.DOTALL)[1]
BINARY_UNITS = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024}
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
CHANGING = re.compile(r"(job_)[0-9a-f]{32}|(\d{4}-\d\d-\d\dT[\d:.]+Z)|(127\.0\.0\.1:)\d+")


def steps() -> list[tuple[str, str]]:
    """The commands of the session, each with the output below it."""
    found = re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", SESSION, re.MULTILINE)
    return [(re.sub(r"^> ", "", command, flags=re.MULTILINE), output) for command, output in found]


def unchanging(text: str) -> str:
    """The text without what differs from run to run or from machine to machine: ids, times, ports and decimals."""
    return NUMBER.sub("#", CHANGING.sub(r"\1\3…", text))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the session asks with curl, and there is none")
def test_the_session_prints_what_the_readme_says(stack, tmp_path) -> None:
    # One shell runs it all, as a reader's does; a separator tells the outputs apart.
    script = "".join(f"{command}\nprintf '\\036'\n" for command, _ in steps())
    script = script.replace("http://127.0.0.1:8000", stack.url)
    shell = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=CEILING
    )
    assert shell.returncode == 0, shell.stderr
    printed = shell.stdout.split("\036")[:-1]
    assert len(printed) == len(steps())
    for (command, expected), output in zip(steps(), printed, strict=True):
        output = output if output.endswith("\n") or not output else output + "\n"
        assert unchanging(output) == unchanging(expected), command
        numbers = [float(number) for number in NUMBER.findall(output)]
        shown = [float(number) for number in NUMBER.findall(expected)]
        # Another BLAS may round otherwise; the story stays.
        assert numbers == pytest.approx(shown, abs=0.04), command


def test_the_python_of_the_readme_runs(stack, capsys) -> None:
    code = re.search(r"```python\n(from trainshed import.*?)```", README, re.DOTALL)[1]
    exec(compile(code.replace("http://127.0.0.1:8000", stack.url), "README.md", "exec"), {})  # noqa: S102
    *events, result = capsys.readouterr().out.splitlines()
    assert events[-1].startswith("done ")
    assert ast.literal_eval(result)["accuracy"] > 0.9


def test_the_engine_works_without_a_server(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(from trainshed\.engine.*?)```", README, re.DOTALL)[1]
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    assert "label" in capsys.readouterr().out


def test_the_settings_table_is_the_code() -> None:
    table = README[README.index("| variable |") :].split("\n\n")[0].strip()
    assert table == settings_table()


def settings_table() -> str:
    """The table of all settings, as it belongs into the README."""
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else _shown(name, field.default)
        description = (field.description or "").replace("|", "\\|")
        rows.append(f"| `TRAINSHED_{name.upper()}` | {default} | {description} |")
    return "\n".join(rows)


def _shown(name: str, value: object) -> str:
    """As a person writes it, and a setting is read."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if name.endswith("_seconds"):
        return durationpy.to_str(timedelta(seconds=value), extended=True)
    if name.endswith("_bytes"):
        return next(f"{value // size} {unit}" for unit, size in BINARY_UNITS.items() if value % size == 0)
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and name != "port" else str(value)


def test_every_default_of_the_settings_table_is_read_as_what_it_stands_for() -> None:
    rows = re.findall(r"^\| `TRAINSHED_(\w+)` \| (\S.*?) \|", README, re.MULTILINE)
    shown = {name.lower(): default for name, default in rows}
    assert {"max_data_bytes", "max_runtime_seconds", "max_parameters", "port"} <= set(shown)
    del shown["secrets_dir"]  # a folder that there need not be
    read = Settings.model_validate(shown)
    assert {name: getattr(read, name) for name in shown} == {
        name: Settings.model_fields[name].default for name in shown
    }


def test_every_file_that_the_readme_names_exists() -> None:
    table = README[README.index("## What's where") :].split("\n## ")[0]
    for name in re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.\w+)`", table):
        assert (Path(__file__).parents[2] / name).exists(), name
