"""Dates are learned from, and mean the same in a request, in CSV, by the inference protocol and in the ONNX file."""

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest

from tests.service.shape import assert_problem

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(0, 600, 2)]
ASKED = ["01/06/2024", "03/06/2024 18:30", "", "30/12/2031"]  # a Saturday, a Monday, nothing, far away


@pytest.fixture(scope="module")
def shop(client: httpx.Client, train: Callable[..., str]) -> str:
    """A model that tells weekends from the other days of the week; one training row lacks its date."""
    rows = [f"{day:%d/%m/%Y},{'closed' if day.weekday() > 4 else 'open'}" for day in DAYS]
    content = "\n".join(["when,shop", *rows, ",open", ",closed"])
    head = {"Content-Type": "text/csv"}
    assert client.post("/v1/datasets?name=shop", content=content, headers=head).status_code == 201
    spec = {
        "data": {"train": "shop", "target": "shop", "columns": {"when": {"type": "date", "parts": PARTS}}},
        "training": {"epochs": 60, "batch_size": 32},
        "optimizer": {"type": "adam", "learning_rate": 0.05},
    }
    job = train(**spec)
    assert client.get(f"/v1/jobs/{job}").json()["result"]["train"]["accuracy"] > 0.98
    client.post("/v1/models/shop/versions", json={"job": job})
    return job


PARTS = ["weekday", "year", "month", "day", "hour", "days"]


def test_every_road_reads_a_date_alike(client: httpx.Client, shop: str, tmp_path: Path) -> None:
    said = client.post("/v1/models/shop/predict", json={"rows": [{"when": text} for text in ASKED]}).json()
    predictions = said["predictions"]
    assert [row["label"] for row in predictions[:2]] == ["closed", "open"]
    assert predictions[2]["filled"] == ["when"] and predictions[3]["outside"] == ["when"]
    expected = np.array([row["probabilities"]["closed"] for row in predictions])

    body = "when,other\n" + "".join(f'"{text}",1\n' for text in ASKED)
    answer = client.post("/v1/models/shop/predict", content=body, headers={"Content-Type": "text/csv"})
    rows = csv.DictReader(io.StringIO(answer.text))
    np.testing.assert_array_equal([np.float32(row["probability_closed"]) for row in rows], np.float32(expected))

    tensor = {"name": "when", "datatype": "BYTES", "shape": [len(ASKED), 1], "data": ASKED}
    answer = client.post("/v2/models/shop/infer", json={"inputs": [tensor]})
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    np.testing.assert_array_equal(np.reshape(outputs["probabilities"], (-1, 2))[:, 0], expected)

    (tmp_path / "shop.onnx").write_bytes(client.get("/v1/models/shop/artifact?format=onnx").content)
    session = onnxruntime.InferenceSession(tmp_path / "shop.onnx", providers=["CPUExecutionProvider"])
    days = [(date(2024, 6, 1) - date(1970, 1, 1)).days, (date(2024, 6, 3) - date(1970, 1, 1)).days + 18.5 / 24]
    days += [np.nan, (date(2031, 12, 30) - date(1970, 1, 1)).days]
    (found,) = session.run(["probabilities"], {"when": np.array(days)[:, None]})
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


def test_what_is_no_date_is_refused_by_row_and_field(client: httpx.Client, shop: str) -> None:
    answer = client.post("/v1/models/shop/predict", json={"rows": [{"when": "01/06/2024"}, {"when": "06/28/2024"}]})
    (fault,) = assert_problem(answer, 422)["errors"]
    assert fault["pointer"] == "/rows/1/when" and "it takes dates such as '31/12/2024'" in fault["detail"]


def test_a_job_says_how_dates_can_be_used_and_what_their_order_was(client: httpx.Client, shop: str) -> None:
    spec = {"data": {"train": "shop", "target": "shop"}}
    detail = assert_problem(client.post("/v1/jobs?validate_only=true", json=spec), 422)["errors"][0]["detail"]
    assert '{"when": {"type": "date"}}' in detail
    of_target = {"data": {"train": "shop", "target": "when", "columns": {"when": "date"}}}
    assert "'when' is the target" in client.post("/v1/jobs?validate_only=true", json=of_target).text
    assert client.get(f"/v1/jobs/{shop}").json()["spec"]["data"]["columns"]["when"]["parts"] == PARTS
