"""What is written down of optax and JAX is what they say."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients/bin/python"
WRITTEN = Path(__file__).with_name("optax_answers.json")


@pytest.mark.clients
def test_what_is_written_down_is_what_they_answer() -> None:
    assert PYTHON.exists(), "optax is not installed; `make clients` does it"
    command = [PYTHON, "-m", "tests.engine.ask_optax"]
    said, written = json.loads(subprocess.check_output(command, cwd=ROOT)), json.loads(WRITTEN.read_text())
    assert said.keys() == written.keys()
    for name in said.keys() - {"versions"}:
        assert_equal(said[name], written[name])


def assert_equal(said: object, written: object) -> None:
    if isinstance(said, dict):
        assert isinstance(written, dict) and said.keys() == written.keys()
        for name in said:
            assert_equal(said[name], written[name])
    else:
        np.testing.assert_allclose(np.asarray(written), np.asarray(said), rtol=1e-12, atol=1e-15)
