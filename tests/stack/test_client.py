"""The client against the running service: what goes in by one method comes out by another."""

import csv
import io
import zipfile
from datetime import datetime

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.endless import ENDLESS
from trainshed import Client, JobFailed, ProblemError, TrainshedError, Unreachable
from trainshed.client.rows import rows_body

IRIS = {
    "name": "iris",
    "data": {"train": "iris", "target": "label"},
    "layers": [{"type": "dense", "units": 8}, {"type": "tanh"}],
    "training": {"epochs": 5, "batch_size": 16},
    "checks": {"gradients": ["start", "end"]},
}
FLOWER = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(scope="module")
def trained(stack) -> str:
    """The id of a job that has succeeded."""
    with stack.client() as client:
        job = client.jobs.submit(IRIS)
        return client.jobs.wait(job["id"], 120)["id"]


def test_a_job_that_was_submitted_is_found_and_its_spec_is_whole(client, trained) -> None:
    job = client.jobs.get(trained)
    assert (job["name"], job["state"], job["done"], job["stop_reason"]) == (
        "iris",
        "succeeded",
        True,
        "completed",
    )
    assert job["epoch"] == job["epochs"] == 5
    assert job["spec"]["data"]["split"]["type"] == "fractions"
    assert trained in [listed["id"] for listed in client.jobs.list(limit=100, state="succeeded")]


def test_metrics_have_a_row_per_epoch(client, trained) -> None:
    rows = client.jobs.metrics(trained)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1]["train_cost"] < rows[0]["train_cost"]


def test_a_long_curve_is_read_page_by_page_and_thinned_out_on_request(client) -> None:
    job = client.jobs.submit(IRIS | {"training": {"epochs": 1203, "batch_size": "full"}, "checks": {"gradients": []}})
    client.jobs.wait(job["id"], 120)
    assert [row["epoch"] for row in client.jobs.metrics(job["id"])] == list(range(1, 1204))
    thinned = client.jobs.metrics(job["id"], max_points=50)
    assert len(thinned) <= 50
    table = csv.DictReader(io.StringIO(client.jobs.metrics_csv(job["id"], max_points=50)))
    assert [(row["epoch"], row["at"]) for row in table] == [(str(row["epoch"]), row["at"]) for row in thinned]
    moments = [datetime.fromisoformat(str(row["at"])) for row in client.jobs.metrics(job["id"])]
    assert moments == sorted(moments) and len(set(moments)) > 100  # though many are written at once


def test_gradient_checks_come_in_the_order_they_were_made(client, trained) -> None:
    start, end = (check["report"] for check in client.gradient_checks.list(trained) if check["requested"] is None)
    assert (start["at"], end["at"]) == ("start", "end")
    assert {check["name"] for check in start["tensors"]} == {"W1", "b1", "W2", "b2"}
    assert start["verdict"] == end["verdict"] == "great"


def test_a_check_that_is_asked_for_is_made_by_the_worker(client, trained) -> None:
    def difference(**wanted: object) -> float:
        asked = client.gradient_checks.request(trained, {"at": "start", "epsilon": 1e-4, **wanted})
        check = client.gradient_checks.wait(trained, asked["number"], 120)
        assert (check["state"], check["error"]) == ("succeeded", None)
        assert check in client.gradient_checks.list(trained)
        return check["report"]["difference"]

    assert difference(sided="one") > 100 * difference(sided="two")
    with pytest.raises(ProblemError, match="/epsilon"):
        client.gradient_checks.request(trained, {"epsilon": 1})


def test_predictions_answer_row_by_row_in_either_shape(client, trained) -> None:
    features = client.datasets.get("iris")["summary"]["columns"]
    keyed = dict(zip([column["name"] for column in features if column["name"] != "label"], FLOWER, strict=True))
    plain, named = client.jobs.predict(trained, [FLOWER, keyed])
    assert plain == named
    assert sum(plain["probabilities"].values()) == pytest.approx(1)


def test_the_stream_tells_the_whole_story_and_can_be_taken_up_in_the_middle(client, trained) -> None:
    events = list(client.jobs.stream(trained))
    assert events[-1]["type"] == "done"
    assert events[-1]["data"]["state"] == "succeeded"
    assert [event["seq"] for event in events[:-1]] == list(range(1, len(events)))
    assert [event["data"]["epoch"] for event in events if event["type"] == "epoch"][-1] == 5
    assert list(client.jobs.stream(trained, after=3))[:-1] == events[3:-1]
    assert list(client.jobs.stream(trained, after=events[-1]["seq"])) == []


def test_a_stream_is_live(client) -> None:
    job = client.jobs.submit(ENDLESS)
    for event in client.jobs.stream(job["id"]):
        if event["type"] == "epoch":
            client.jobs.cancel(job["id"])
            break
    with pytest.raises(JobFailed, match="cancelled"):
        client.jobs.wait(job["id"], 120)


def test_a_broken_connection_is_taken_up_where_it_broke(client, trained, monkeypatch) -> None:
    whole = list(client.jobs.stream(trained))
    original, calls = httpx.Response.iter_text, []

    def breaking(response):
        calls.append(response.request.headers.get("last-event-id"))
        text = "".join(original(response))
        if len(calls) > 1:
            yield text
            return
        yield text[: len(text) // 2]
        raise httpx.ReadError("the connection was reset")

    monkeypatch.setattr(httpx.Response, "iter_text", breaking)
    assert list(client.jobs.stream(trained)) == whole
    assert calls[0] is None
    assert int(calls[1]) > 0


def test_datasets_go_up_and_come_back(client, tmp_path) -> None:
    file = tmp_path / "line.csv"
    file.write_text("x,y\n" + "".join(f"{x},{3 * x + 1}\n" for x in range(50)))
    stored = client.datasets.upload("line", file)
    assert stored["rows"] == 50
    assert client.datasets.get("line")["sha256"] == stored["sha256"]
    assert client.datasets.preview("line", limit=2)["rows"] == [{"x": 0, "y": 1}, {"x": 1, "y": 4}]
    assert "line" in [dataset["name"] for dataset in client.datasets.list()]
    client.datasets.delete("line")
    with pytest.raises(ProblemError, match="404"):
        client.datasets.get("line")


def test_uploaded_parameters_are_where_training_starts(client) -> None:
    content = io.BytesIO()
    np.savez(content, W1=np.zeros((4, 3)), b1=np.zeros(3))
    client.parameters.upload("zero-iris", content.getvalue(), "application/x-npz")
    spec = {
        "data": {"train": "iris", "target": "label"},
        "layers": [],
        "initializer": {"type": "given", "parameters": "zero-iris"},
        "training": {"epochs": 1, "batch_size": "full"},
    }
    job = client.jobs.wait(client.jobs.submit(spec)["id"], 120)
    # With W = 0 every class is as likely as the others, so the first cost is ln 3 whatever the data are.
    assert client.jobs.metrics(job["id"])[0]["train_cost"] == pytest.approx(np.log(3), rel=1e-6)


def test_a_refusal_points_at_the_field(client) -> None:
    with pytest.raises(ProblemError) as caught:
        client.jobs.submit({"data": {"train": "digits", "target": "lable"}})
    assert caught.value.status == 422
    assert [error["pointer"] for error in caught.value.errors] == ["/data/target"]
    assert "label" in str(caught.value)


def test_an_unknown_job_is_a_problem_for_every_method(client) -> None:
    for ask in (
        client.jobs.get,
        client.jobs.metrics,
        client.gradient_checks.list,
        client.jobs.cancel,
        lambda i: list(client.jobs.stream(i)),
    ):
        with pytest.raises(ProblemError, match="404"):
            ask("job_0000")


def test_nobody_at_the_address_is_said_with_what_to_do() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable, match="trainshed serve"):
        client.jobs.list()
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable):
        list(client.jobs.stream("job_0000"))
    with Client("http://127.0.0.1:9") as client:
        assert not client.ready()


def test_a_file_of_an_unknown_kind_is_not_sent(client, tmp_path) -> None:
    with pytest.raises(TrainshedError, match=r"'\.docx'.*\.csv"):
        client.datasets.upload("table", tmp_path / "table.docx")


def test_a_zip_of_images_is_uploaded_and_its_augmentations_are_shown(client, tmp_path) -> None:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(4):
            image = io.BytesIO()
            Image.new("RGB", (9, 9), (40 * number, 90, 200)).save(image, "PNG")
            archive.writestr(f"{'ab'[number % 2]}/{number}.png", image.getvalue())
    dataset = client.datasets.upload("pictures", path, size="6x8", mode="grayscale")
    assert next(column["shape"] for column in dataset["summary"]["columns"] if column["name"] == "x") == [8, 6]
    sheet = client.datasets.augmented("pictures", [{"type": "flip"}, {"type": "noise"}], rows=2, draws=3)
    assert Image.open(io.BytesIO(sheet)).format == "PNG"


def test_a_picture_in_a_row_goes_as_base64_of_its_bytes(tmp_path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG")
    rows = [{"x": path}, [b"\x89PNG"], [1.5, "a"]]
    assert rows_body(rows) == {"rows": [{"x": "iVBORw=="}, ["iVBORw=="], [1.5, "a"]]}
