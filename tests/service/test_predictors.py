"""Few models are kept in memory, and those are the ones in use."""

from pathlib import Path

import pytest

from service.predictors import Predictors


def test_the_model_that_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def load(path: Path) -> str:
        read.append(path.name)
        return path.name

    monkeypatch.setattr("service.predictors.load", load)
    predictors = Predictors(capacity=2)
    for job_id in ("a", "b", "a", "c", "a", "b"):
        assert str(predictors.get(job_id, lambda job_id=job_id: Path(job_id))) == job_id  # type: ignore[misc]
    assert read == ["a", "b", "c", "b"]


def test_a_model_that_cannot_be_read_may_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    predictors = Predictors()

    def missing() -> Path:
        raise FileNotFoundError("no such model")

    with pytest.raises(FileNotFoundError):
        predictors.get("a", missing)
    monkeypatch.setattr("service.predictors.load", lambda path: path.name)
    assert str(predictors.get("a", lambda: Path("a"))) == "a"
