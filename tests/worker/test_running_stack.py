"""A data folder has one stack at a time, and other processes find the one that lives."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.errors import DataFolderInUse
from worker.queue.running_stack import RunningStack, claim_folder, find_stack

URL = "http://127.0.0.1:8000"
OWNER = """
import sys
from pathlib import Path
from worker.queue.running_stack import claim_folder
with claim_folder(Path(sys.argv[1]), sys.argv[2]) as tell:
    tell("unix:///own.sock")
    print("claimed", flush=True)
    sys.stdin.read()
"""

Own = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def owner(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the folder until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, tmp_path, URL],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.communicate()


def test_a_stack_is_found_while_it_runs(tmp_path: Path, owner: "subprocess.Popen[str]") -> None:
    found = RunningStack(owner.pid, URL, "unix:///own.sock")
    assert [find_stack(tmp_path) for _ in range(3)] == [found] * 3  # looking takes nothing away
    description = tmp_path / "run" / "stack.json"
    assert stat.S_IMODE(description.stat().st_mode) == 0o600  # a password is in it
    owner.communicate()
    assert find_stack(tmp_path) is None
    assert not description.exists()


def test_a_second_one_is_refused_and_does_the_first_no_harm(tmp_path: Path, owner: "subprocess.Popen[str]") -> None:
    named = rf"{tmp_path}.*process {owner.pid}.*{URL}"
    with pytest.raises(DataFolderInUse, match=named) as refused, claim_folder(tmp_path, "http://127.0.0.1:9000"):
        pytest.fail("two stacks on one folder")
    assert "\n" not in str(refused.value)
    assert find_stack(tmp_path) == RunningStack(owner.pid, URL, "unix:///own.sock")


def test_what_a_killed_one_leaves_behind_is_in_nobody_s_way(tmp_path: Path, owner: "subprocess.Popen[str]") -> None:
    owner.kill()
    owner.wait()
    assert json.loads((tmp_path / "run" / "stack.json").read_text())["pid"] == owner.pid
    assert find_stack(tmp_path) is None
    with claim_folder(tmp_path, URL) as tell:
        tell("unix:///new.sock")
        found = find_stack(tmp_path)
    assert found is not None and found.redis_url == "unix:///new.sock"
