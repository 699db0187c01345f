"""Where nothing may be missing, a test that is skipped is one that fails; without a GPU some are."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

def test_passes(): ...

@pytest.mark.gpu
def test_without_a_gpu(): pytest.skip("no GPU")

@pytest.mark.skipif(True, reason="no curl")
def test_without_a_tool(): ...

def test_without_a_package(): pytest.importorskip("nothing_of_that_name")
"""
REPOSITORY = Path(__file__).parents[1]


def test_only_what_needs_a_gpu_may_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "-c", "/dev/null", str(tmp_path)]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    usual, strict = (
        subprocess.run([*command, *options], cwd=REPOSITORY, env=alone, capture_output=True, text=True)
        for options in ((), ("--no-skips",))
    )
    assert usual.returncode == 0 and "1 passed, 3 skipped" in usual.stdout
    assert strict.returncode == 1 and "1 failed, 1 passed, 1 skipped" in strict.stdout and "1 error" in strict.stdout
    assert "no curl" in strict.stdout and "nothing_of_that_name" in strict.stdout
