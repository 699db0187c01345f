"""The verdict is the course's, and every next step is a job that can be submitted."""

from typing import Any

import pytest

from engine import JobSpec
from engine.diagnosis import diagnose, verdict

DIGITS = {"data": {"train": "digits", "target": "label"}, "layers": [{"type": "dense", "units": 8}, {"type": "relu"}]}


def result(train: float, dev: float | None) -> dict[str, Any]:
    reports: dict[str, Any] = {"train": {"error": train, "examples": 600}}
    if dev is not None:
        reports["dev"] = {"error": dev, "examples": 200}
    return reports | {"epoch": 3, "epochs": 20, "kept": "best", "stop_reason": "completed"}


@pytest.mark.parametrize(
    ("train", "dev", "base", "expected"),
    [
        (0.01, 0.11, 0.0, "high variance"),
        (0.15, 0.16, 0.0, "high bias"),
        (0.15, 0.30, 0.0, "high bias and high variance"),
        (0.005, 0.01, 0.0, "low bias, low variance"),
        (0.15, 0.16, 0.15, "low bias, low variance"),
    ],
)
def test_the_five_rows_of_the_course_get_their_verdict(train: float, dev: float, base: float, expected: str) -> None:
    assert verdict(train, dev, base) == expected


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layers": []},
        {"optimizer": {"type": "momentum", "beta": 0.8}, "regularization": {"l2": 0.5}},
        {"layers": [{"type": "dense", "units": 8}, {"type": "tanh"}, {"type": "dropout", "keep_prob": 0.9}]},
        {"training": {"early_stopping": {"patience": 3}}},
    ],
)
@pytest.mark.parametrize(("train", "dev"), [(0.01, 0.11), (0.15, 0.16), (0.15, 0.3), (0.15, None)])
def test_every_next_step_patches_the_spec_into_a_valid_job(
    changes: dict[str, Any], train: float, dev: float | None
) -> None:
    spec = JobSpec.model_validate(DIGITS | changes)
    warnings = [
        {"code": "saturated_units", "message": "…", "epoch": 4},
        {"code": "plateau", "message": "…", "epoch": 9},
    ]
    diagnosis = diagnose(spec, result(train, dev), warnings)
    assert diagnosis.next_steps
    before = spec.model_dump(mode="json")
    for step in diagnosis.next_steps:
        assert step.patch, step.title
        after = JobSpec.model_validate(merged(before, step.patch))
        assert after == JobSpec.model_validate(step.spec) != spec


def test_a_healthy_model_gets_no_advice() -> None:
    assert diagnose(JobSpec.model_validate(DIGITS), result(0.005, 0.01)).next_steps == ()


def test_without_a_dev_set_variance_is_said_to_be_unknown() -> None:
    diagnosis = diagnose(JobSpec.model_validate(DIGITS), result(0.001, None))
    assert diagnosis.verdict == "unknown: no dev set"
    assert diagnosis.variance is None
    assert any("no dev set" in line for line in diagnosis.evidence)


def test_a_regression_is_judged_by_the_variance_it_leaves_unexplained() -> None:
    reports = {"train": {"r2": 0.99, "examples": 50}, "dev": {"r2": 0.5, "examples": 20}, "kept": "last"}
    diagnosis = diagnose(JobSpec.model_validate(DIGITS), reports)
    assert diagnosis.verdict == "high variance"
    assert diagnosis.train_error == pytest.approx(0.01)


def test_the_standard_error_of_a_small_dev_set_is_part_of_the_evidence() -> None:
    diagnosis = diagnose(JobSpec.model_validate(DIGITS), result(0.1, 0.2))
    assert any("± 2.83%" in line for line in diagnosis.evidence)  # √(0.2·0.8/200)
