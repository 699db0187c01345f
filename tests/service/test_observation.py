"""OpenTelemetry costs nothing where nobody has configured it."""

import os
import sys
from types import ModuleType

import pytest

from service.app import is_observed


def test_a_variable_or_a_loaded_sdk_tells_that_somebody_observes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "opentelemetry.sdk", raising=False)
    assert not is_observed()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "trainshed")
    assert is_observed()
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", ModuleType("opentelemetry.sdk"))
    assert is_observed()
