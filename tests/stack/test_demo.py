"""`trainshed demo` keeps its promise, and leaves the machine as it was."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

TRAINSHED = [sys.executable, "-P", "-m", "trainshed"]


@pytest.mark.accept
def test_demo_trains_predicts_and_leaves_nothing_behind(subreaper, folder, environment) -> None:
    demo = subprocess.run([*TRAINSHED, "demo"], env=environment, capture_output=True, text=True, timeout=300)

    assert demo.returncode == 0, demo.stdout + demo.stderr
    accuracy = {part: float(value) for part, value in re.findall(r"(train|dev|test)\W.*?([\d.]+)%", demo.stdout)}
    assert set(accuracy) == {"train", "dev", "test"}
    assert accuracy["test"] >= 96
    assert "wrong" not in demo.stdout, "the gradient check found a difference"
    assert agreeing_predictions(demo.stdout) >= 9

    assert subreaper.living() == {}
    assert list(folder.iterdir()) == []
    assert str(folder) not in Path("/proc/net/unix").read_text()
    address = re.search(r"http://([\d.]+):(\d+)", demo.stdout)
    assert address
    with socket.socket() as probe:
        assert probe.connect_ex((address[1], int(address[2]))) != 0


def agreeing_predictions(output: str) -> int:
    """How many of the ten predictions equal the truth beside them."""
    pairs = re.findall(r"^│ \d +│ (\d+) +│ (\d+) +│ [01]\.\d+", output, re.MULTILINE)
    assert len(pairs) == 10
    return sum(truth == said for truth, said in pairs)
