"""KServe's own client, which lives in an environment of its own, against the service."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from engine import Model, load
from tests.service.running import Running
from worker.workspace import Workspace

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients/bin/python"
ADULTS = b"""age,work,sex,income
39,State-gov,true,<=50K
50,Self-emp,true,<=50K
38,Private,true,<=50K
28,Private,false,>50K
37,Self-emp,false,>50K
52,Self-emp,true,>50K
31,Private,false,>50K
"""
HEADER, _, LINES = ADULTS.partition(b"\n")
FLOWERS = np.float32([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
VALUES = np.linspace(-1, 1, 20, dtype=np.float32).reshape(2, 10)
PEOPLE = [[39.0, "State-gov", True], [61.0, "Never-seen", False]]


@pytest.mark.clients
def test_kserves_client_is_understood(
    running: Running, client: httpx.Client, backend: Workspace, train: Callable[..., str]
) -> None:
    assert PYTHON.exists(), "KServe's client is not installed; `make clients` does it"
    content = HEADER + b"\n" + LINES * 20
    client.post("/v1/datasets?name=clients-adults", content=content, headers={"Content-Type": "text/csv"})
    data = {
        "classes": {"train": "iris", "target": "label"},
        "value": {"train": "diabetes", "target": "target"},
        "mixed": {"train": "clients-adults", "target": "income"},
    }
    models: dict[str, Model] = {}
    for kind, source in data.items():
        job = train(data=source)
        client.post(f"/v1/models/clients-{kind}/versions", json={"job": job}).raise_for_status()
        models[kind] = load(backend.jobs.model_path(job))
    session = subprocess.run(
        [PYTHON, Path(__file__).with_name("kserve_session.py"), running.url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert session.returncode == 0, session.stderr[-3000:]
    said = json.loads(session.stdout)
    assert said["live"] is said["ready"] is said["model_ready"] is True
    assert said["nothing_ready"] is False and said["refused"] == 400
    rows = {"classes": FLOWERS, "value": VALUES, "mixed": PEOPLE}
    for kind, model in models.items():
        answers = model.answers(model.inputs(rows[kind]))
        for way in ("binary", "json"):
            found = said[way][kind]
            (name,) = found.keys() - {"label"}
            assert (np.float32(found[name]) == answers).all(), (kind, way)
            if "label" in found:
                labels = [label.decode() if isinstance(label, bytes) else label for label in found["label"]]
                assert labels == [one["label"] for one in model.predict(rows[kind])], (kind, way)
