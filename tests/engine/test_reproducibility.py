"""The same spec and seed give the same weights, bit for bit, in any process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine import JobSpec
from tests.engine.jobs import events_of, finished, spec_of

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import sys
from engine import JobSpec
from tests.engine.jobs import events_of, finished
print(finished(events_of(JobSpec.model_validate_json(sys.stdin.read()))).result["weights_sha256"], *sys.modules)
"""


def spec_with(seed: int, precision: str = "float32") -> JobSpec:
    return spec_of(
        seed=seed,
        precision=precision,
        layers=[
            {"type": "dense", "units": 40},
            {"type": "batch_norm"},
            {"type": "relu"},
            {"type": "dropout", "keep_prob": 0.7},
        ],
        training={"epochs": 4, "batch_size": 16},
    )


def hash_in_another_process(spec: JobSpec) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM],
        input=spec.model_dump_json(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    digest, *modules = done.stdout.split()
    # Each takes as long to load as all the rest, and would be loaded by every worker.
    assert "numba" in modules and not {"scipy.linalg", "sklearn"} & set(modules)
    return digest


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_two_processes_end_with_the_same_bits(precision: str) -> None:
    spec = spec_with(11, precision)
    here = finished(events_of(spec)).model.weights_sha256
    assert hash_in_another_process(spec) == here


def test_every_seed_has_weights_of_its_own() -> None:
    hashes = {finished(events_of(spec_with(seed))).model.weights_sha256 for seed in range(5)}
    assert len(hashes) == 5


def test_a_gradient_check_changes_no_weight() -> None:
    checked = spec_with(1).model_dump(mode="json") | {"checks": {"gradients": ["start", 2, "end"]}}
    with_checks = finished(events_of(JobSpec.model_validate_json(json.dumps(checked))))
    assert with_checks.model.weights_sha256 == finished(events_of(spec_with(1))).model.weights_sha256
