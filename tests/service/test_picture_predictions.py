"""A picture gives the same answer on every road, bit for bit: in an upload, as a body, in JSON, in tensors."""

import base64
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import DataError, Model, load
from engine.data.formats.images.image_zip_format import ImageZipFormat
from engine.table_answers import answers_of
from service.predictions.pictures import may_hold_pictures
from tests.engine.data.damage import damaged
from tests.engine.data.drawn_pictures import pictures
from tests.engine.data.pictures import KINDS, TURNED, deep_png, photograph
from tests.service.shape import assert_problem
from worker.workspace import Workspace

RANDOM = np.random.default_rng(3)
COLOR = RANDOM.integers(0, 256, (9, 6, 3), np.uint8)
DEEP = [RANDOM.integers(0, 3000, (9, 6, 1)) for _ in range(30)]
PHOTOGRAPHS = [photograph(kind, COLOR // (place + 1)) for place, kind in enumerate(KINDS)]
PHOTOGRAPHS += [photograph(kind, COLOR, orientation) for kind in TURNED for orientation in (3, 6)]


def packed(pictures: list[bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for place, picture in enumerate(pictures):
            archive.writestr(f"{'ab'[place % 2]}/{place}", picture)
    return file.getvalue()


class Pictures:
    """A model that learned from pictures, registered, and the same in Python; and the pictures."""

    def __init__(self, client: httpx.Client, backend: Workspace, train: Callable[..., str], name: str, query: str,
                 pictures: list[bytes]) -> None:  # fmt: skip
        self.client, self.name, self.pictures = client, name, pictures
        self.options = dict(part.split("=") for part in query.split("&") if part)
        self.content = packed(pictures)
        answer = client.post(
            f"/v1/datasets?name={name}&{query}", content=self.content, headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code == 201, answer.text
        self.summary: dict[str, Any] = answer.json()["summary"]
        self.job = train(data={"train": name, "target": "label", "split": [0.8, 0.1, 0.1]})
        assert client.post(f"/v1/models/{name}/versions", json={"job": self.job}).status_code == 201
        self.model: Model = load(backend.jobs.model_path(self.job))

    def uploaded(self, folder: Any) -> list[dict[str, Any]]:
        """The answers to the dataset of all pictures, as a batch prediction makes them."""
        (folder / "all.zip").write_bytes(self.content)
        table = ImageZipFormat.model_validate(self.options).read(folder / "all.zip").training
        answers = np.concatenate([answers for answers, *_ in answers_of(self.model, table)])
        return json.loads(json.dumps(self.model.predictions(answers)))  # type: ignore[no-any-return]

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.client.post(path, **request)

    def predict(self, rows: list[Any]) -> list[dict[str, Any]]:
        answer = self.post(f"/v1/models/{self.name}/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        predictions: list[dict[str, Any]] = answer.json()["predictions"]
        assert self.post(f"/v1/jobs/{self.job}/predict", json={"rows": rows}).json()["predictions"] == predictions
        return predictions


@pytest.fixture(scope="module")
def photographs(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Pictures:
    return Pictures(client, backend, train, "photographs", "size=5x7", PHOTOGRAPHS)


@pytest.fixture(scope="module")
def scans(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Pictures:
    return Pictures(client, backend, train, "scans", "", [deep_png(deep) for deep in DEEP])


@pytest.fixture(params=["photographs", "scans"])
def shown(request: pytest.FixtureRequest) -> Pictures:
    found: Pictures = request.getfixturevalue(request.param)
    return found


def text_of(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def test_a_picture_as_the_body_is_answered_as_in_an_upload(shown: Pictures, tmp_path) -> None:
    for picture, wanted in zip(shown.pictures, shown.uploaded(tmp_path), strict=True):
        for path in (f"/v1/models/{shown.name}/predict", f"/v1/jobs/{shown.job}/predict"):
            answer = shown.post(path, content=picture, headers={"Content-Type": "image/jpeg"})  # its content says more
            assert answer.status_code == 200, answer.text
            assert answer.json()["predictions"] == [wanted]


def test_a_picture_in_a_row_is_answered_as_in_an_upload(shown: Pictures, tmp_path) -> None:
    wanted = shown.uploaded(tmp_path)
    texts = [text_of(picture) for picture in shown.pictures]
    assert shown.predict([{"x": text} for text in texts]) == wanted
    assert shown.predict([["data:image/png;base64," + text] for text in texts]) == wanted
    arrays = ImageZipFormat.model_validate(shown.options).read(tmp_path / "all.zip").training.values("x")
    assert shown.predict([{"x": array} for array in arrays]) == wanted
    assert shown.predict([[array] for array in arrays]) == shown.predict(arrays) == wanted


@pytest.mark.parametrize("form", ["base64", "binary", "binary base64"])
def test_pictures_in_a_tensor_are_answered_as_in_an_upload(shown: Pictures, tmp_path, form: str) -> None:
    contents = shown.pictures if form == "binary" else [text_of(picture).encode() for picture in shown.pictures]
    described: dict[str, Any] = {"name": "x", "datatype": "BYTES", "shape": [len(contents), 1]}
    path = f"/v2/models/{shown.name}/infer"
    if form == "base64":
        answer = shown.post(path, json={"inputs": [{**described, "data": [text.decode() for text in contents]}]})
    else:
        tensor = b"".join(struct.pack("<I", len(content)) + content for content in contents)
        described["parameters"] = {"binary_data_size": len(tensor)}
        head = json.dumps({"inputs": [described]}).encode()
        headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
        answer = shown.post(path, content=head + tensor, headers=headers)
    assert answer.status_code == 200, answer.text
    found = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    wanted = shown.uploaded(tmp_path)
    assert found["label"] == [one["label"] for one in wanted]
    assert found["probabilities"] == [p for one in wanted for p in one["probabilities"].values()]


def test_an_array_in_a_tensor_of_the_columns_name_is_a_picture_too(scans: Pictures, tmp_path) -> None:
    wanted = scans.uploaded(tmp_path)
    x = ImageZipFormat().read(tmp_path / "all.zip").training.columns["x"][:]
    tensor = {"name": "x", "datatype": "UINT8", "shape": list(x.shape), "data": x.reshape(-1).tolist()}
    answer = scans.post(f"/v2/models/{scans.name}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == [one["label"] for one in wanted]


def test_a_picture_is_explained_as_its_numbers_are(scans: Pictures, tmp_path) -> None:
    scans.uploaded(tmp_path)
    numbers = ImageZipFormat().read(tmp_path / "all.zip").training.values("x")[0]
    explained = [
        scans.post(f"/v1/models/{scans.name}/explain", json={"row": {"x": sent}}).json()
        for sent in (text_of(scans.pictures[0]), numbers)
    ]
    assert explained[0]["gradient"] == explained[1]["gradient"]


def test_pictures_are_sampled_for_drift_as_numbers(scans: Pictures, client: httpx.Client) -> None:
    client.put(f"/v1/models/{scans.name}", json={"drift": True})
    for picture in scans.pictures:
        scans.post(f"/v1/models/{scans.name}/predict", json={"rows": [{"x": text_of(picture)}]})
        scans.post(f"/v1/models/{scans.name}/predict", content=picture, headers={"Content-Type": "image/png"})
    found = client.get(f"/v1/models/{scans.name}/drift")
    assert found.status_code == 200, found.text
    assert found.json()["seen"] >= 60 and not found.json()["drifted"]


def test_what_is_guessed_of_sixteen_bits_is_said(scans: Pictures, photographs: Pictures) -> None:
    (guess,) = scans.summary["guesses"]
    greatest = max(int(deep.max()) for deep in DEEP)
    assert (guess["what"], guess["settle"]) == ("white level", f"white={greatest}") and str(greatest) in guess["detail"]
    assert photographs.summary["guesses"] == []


REFUSED = {
    "a picture of another size": ("scans", deep_png(DEEP[0][:5]), "is 6x5, width x height, and .* are 6x9"),
    "half a picture": ("photographs", PHOTOGRAPHS[0][:-40], "the picture is damaged"),
    "text": ("photographs", b"hello", "the picture is no PNG"),
    "nothing": ("photographs", b"", "no PNG|no picture"),
    "sixteen bits where there were eight": ("photographs", deep_png(DEEP[0]), "has 16 bits, .* have 8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_on_every_road(
    request: pytest.FixtureRequest, client: httpx.Client, name: str
) -> None:
    which, content, says = REFUSED[name]
    model: Pictures = request.getfixturevalue(which)
    head = {"Content-Type": "image/png"}
    for path in (f"/v1/models/{model.name}/predict", f"/v1/jobs/{model.job}/predict"):
        problem = assert_problem(client.post(path, content=content, headers=head), 422)
        assert problem["code"] == "invalid_row" and re.search(says, problem["detail"]), problem
        problem = assert_problem(client.post(path, json={"rows": [{"x": text_of(content)}]}), 422)
        assert problem["errors"][0]["pointer"] == "/rows/0/x" and re.search(says, problem["detail"]), problem
    tensor = {"name": "x", "datatype": "BYTES", "shape": [1], "data": [text_of(content)]}
    answer = client.post(f"/v2/models/{model.name}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 400 and re.search(says, answer.json()["detail"]), answer.text


def test_a_model_of_numbers_refuses_a_picture(client: httpx.Client, train: Callable[..., str]) -> None:
    job = train(data={"train": "digits", "target": "label"})
    client.post("/v1/models/numbers/versions", json={"job": job})
    head = {"Content-Type": "image/png"}
    picture = photograph("PNG", np.zeros((8, 8), np.uint8))
    for path in ("/v1/models/numbers/predict", f"/v1/jobs/{job}/predict"):
        detail = assert_problem(client.post(path, content=picture, headers=head), 422)["detail"]
        assert "did not learn from pictures" in detail
        rows = {"rows": [[text_of(picture)]]}
        assert "did not learn from pictures" in assert_problem(client.post(path, json=rows), 422)["detail"]
        assert_problem(client.post(path, content=picture, headers={"Content-Type": "image/heic"}), 415)


def test_an_npz_of_bytes_is_one_of_pictures(client: httpx.Client, train: Callable[..., str]) -> None:
    x = RANDOM.integers(0, 256, (30, 4, 5), np.uint8)
    file = io.BytesIO()
    np.savez(file, x=x, y=np.arange(30) % 3)
    client.post("/v1/datasets?name=tiles", content=file.getvalue(), headers={"Content-Type": "application/x-npz"})
    job = train(data={"train": "tiles", "target": "label"})
    head = {"Content-Type": "image/png"}
    found = client.post(f"/v1/jobs/{job}/predict", content=photograph("PNG", x[0]), headers=head).json()
    assert found == client.post(f"/v1/jobs/{job}/predict", json={"rows": [x[0].tolist()]}).json()


def test_scans_of_another_white_are_refused_until_they_are_uploaded_alike(
    client: httpx.Client, scans: Pictures, tmp_path
) -> None:
    other = packed([deep_png(deep // 2) for deep in DEEP])
    white = scans.model.preprocessor.encoders[0].picture.white  # type: ignore[union-attr]
    head = {"Content-Type": "application/zip"}
    client.post("/v1/datasets?name=darker", content=other, headers=head)
    spec = {"data": {"train": "scans", "target": "label", "split": {"type": "given", "test": "darker"}}}
    detail = assert_problem(client.post("/v1/jobs", json=spec), 422)["detail"]
    assert f"white={white}" in detail
    explained = client.post(f"/v1/models/{scans.name}/explain", json={"dataset": "darker"})
    assert f"white={white}" in assert_problem(explained, 422)["detail"]
    client.post(f"/v1/datasets?name=darker&white={white}", content=other, headers=head)
    assert client.post("/v1/jobs", json=spec).status_code == 201


def test_what_may_hold_pictures_is_known_before_it_is_read(scans: Pictures, client: httpx.Client, backend: Workspace,
                                                           train: Callable[..., str]) -> None:  # fmt: skip
    picture = scans.pictures[0]
    of_text = json.dumps({"rows": [{"x": text_of(picture)}]}).encode()
    of_numbers = json.dumps({"rows": [{"x": [1] * 54}]}).encode()
    tensor = json.dumps({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1]}]}).encode() + picture
    given = [("image/png", picture), ("", of_text), ("", tensor)]
    assert all(may_hold_pictures(scans.model, *one) for one in given)
    assert not may_hold_pictures(scans.model, "", of_numbers)
    numbers = load(backend.jobs.model_path(train(data={"train": "iris", "target": "label"})))
    assert not any(may_hold_pictures(numbers, *one) for one in given)


def test_a_dataset_of_other_pictures_is_refused_with_how_to_upload_it(
    client: httpx.Client, scans: Pictures, photographs: Pictures
) -> None:
    path = f"/v1/models/{scans.name}/explain"
    detail = assert_problem(client.post(path, json={"dataset": photographs.name}), 422)["detail"]
    assert "size=6x9&mode=grayscale" in detail


@pytest.fixture(scope="module")
def mixed(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Pictures:
    pictures = [*PHOTOGRAPHS, *map(deep_png, DEEP)]
    return Pictures(client, backend, train, "mixed", "size=5x7&mode=color&white=4095", pictures)


@given(drawn=st.lists(pictures(), min_size=2, max_size=4), seed=st.none() | st.integers(0, 2**32))
def test_every_road_answers_alike_or_refuses_alike(
    new_folder: Callable[[], Path], mixed: Pictures, drawn: list[bytes], seed: int | None
) -> None:
    if seed is not None:
        drawn[0] = damaged(drawn[0], Random(seed))  # noqa: S311
    folder = new_folder()
    (folder / "a.zip").write_bytes(packed(drawn))
    try:
        table = ImageZipFormat.model_validate(mixed.options).read(folder / "a.zip").training
    except DataError:
        table = None
    rows = {"rows": [{"x": text_of(picture)} for picture in drawn]}
    tensor = {"name": "x", "datatype": "BYTES", "shape": [len(drawn)], "data": [row["x"] for row in rows["rows"]]}
    path = f"/v1/models/{mixed.name}/predict"
    answers = [
        mixed.post(path, json=rows),
        mixed.post(f"/v1/jobs/{mixed.job}/predict", json=rows),
        mixed.post(path, content=drawn[0], headers={"Content-Type": "image/webp"}),
        mixed.post(f"/v2/models/{mixed.name}/infer", json={"inputs": [tensor]}),
    ]
    if table is None:
        assert [answer.status_code for answer in answers] == [422, 422, 422, 400]
        return
    found = np.concatenate([block for block, *_ in answers_of(mixed.model, table)])
    wanted = json.loads(json.dumps(mixed.model.predictions(found)))
    assert [answer.json().get("predictions") for answer in answers[:3]] == [wanted, wanted, wanted[:1]]
    assert answers[3].json()["outputs"][1]["data"] == [p for one in wanted for p in one["probabilities"].values()]


def test_a_picture_may_have_more_bytes_than_rows_of_json(scans: Pictures, client: httpx.Client) -> None:
    large = scans.pictures[0] + bytes(5 << 20)
    path = f"/v1/jobs/{scans.job}/predict"
    answer = client.post(path, content=large, headers={"Content-Type": "image/png"})
    assert answer.json()["predictions"] == scans.predict([{"x": text_of(scans.pictures[0])}])
    assert_problem(client.post(path, json={"rows": [{"x": text_of(large)}]}), 413)
