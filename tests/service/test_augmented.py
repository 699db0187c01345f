"""Images go in as a zip, and what augmentations make of them comes out as a picture."""

import io
import json
import zipfile

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.service.shape import assert_problem

ZIP = {"Content-Type": "application/zip"}
FLIP = json.dumps([{"type": "flip", "horizontal": 1}])


def pictures(size: tuple[int, int] = (12, 10), color: bool = False) -> bytes:
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(6):
            pixels = rng.integers(0, 256, (*size, 3) if color else size, dtype=np.uint8)
            image = io.BytesIO()
            Image.fromarray(pixels).save(image, "PNG")
            # The date is fixed: the same pictures are the same file, whenever they are packed.
            name = f"{'cat' if number % 2 else 'dog'}/{number}.png"
            archive.writestr(zipfile.ZipInfo(name), image.getvalue())
    return file.getvalue()


@pytest.fixture(scope="module")
def images(client: httpx.Client) -> str:
    answer = client.post("/v1/datasets", params={"name": "pictures"}, content=pictures(), headers=ZIP)
    assert answer.status_code == 201, answer.text
    return "pictures"


def test_a_zip_of_images_is_a_dataset(client: httpx.Client, images: str) -> None:
    dataset = client.get(f"/v1/datasets/{images}").json()
    assert dataset["rows"] == 6
    preview = client.get(f"/v1/datasets/{images}/preview", params={"limit": 2}).json()
    assert [row["label"] for row in preview["rows"]] == ["dog", "cat"]
    assert np.shape(preview["rows"][0]["x"]) == (12, 10)


def test_size_and_mode_are_asked_for_on_upload(client: httpx.Client) -> None:
    for name, options, shape in (
        ("small", {"size": "4x5"}, (5, 4)),
        ("tinted", {"mode": "color"}, (12, 10, 3)),
        ("small", {"size": "4x5", "mode": "color"}, (5, 4, 3)),
    ):
        answer = client.post("/v1/datasets", params={"name": name, **options}, content=pictures(), headers=ZIP)
        assert answer.status_code == 201, answer.text
        row = client.get(f"/v1/datasets/{name}/preview", params={"limit": 1}).json()["rows"][0]
        assert np.shape(row["x"]) == shape
        again = client.post("/v1/datasets", params={"name": name, **options}, content=pictures(), headers=ZIP)
        assert again.status_code == 200 and again.json() == answer.json()


@pytest.mark.parametrize(
    ("options", "pointer"), [({"size": "28"}, "/size"), ({"size": "0x5"}, "/size"), ({"mode": "gray"}, "/mode")]
)
def test_a_size_or_mode_that_is_none_is_refused(client: httpx.Client, options: dict[str, str], pointer: str) -> None:
    answer = client.post("/v1/datasets", params={"name": "refused", **options}, content=pictures(), headers=ZIP)
    assert assert_problem(answer, 422)["errors"][0]["pointer"] == pointer


def test_a_size_is_for_images(client: httpx.Client) -> None:
    table = {
        "params": {"name": "table", "size": "4x5"},
        "content": b"a,b\n1,2\n3,4\n",
        "headers": {"Content-Type": "text/csv"},
    }
    assert "application/zip" in assert_problem(client.post("/v1/datasets", **table), 422)["detail"]  # type: ignore[arg-type]


def test_a_bad_archive_is_answered_with_the_image_at_fault(client: httpx.Client) -> None:
    file = io.BytesIO(pictures())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("cat/broken.png", b"no picture")
    answer = client.post("/v1/datasets", params={"name": "broken"}, content=file.getvalue(), headers=ZIP)
    assert "'cat/broken.png' is no PNG, JPEG" in assert_problem(answer, 422)["detail"]
    assert_problem(client.get("/v1/datasets/broken"), 404)


def test_the_sheet_shows_originals_beside_draws(client: httpx.Client, images: str) -> None:
    params: dict[str, str | int] = {"spec": FLIP, "rows": 3, "draws": 2}
    answer = client.get(f"/v1/datasets/{images}/augmented", params=params)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    scale, gap = 64 // 12, 4
    h, w = 12 * scale, 10 * scale
    assert sheet.shape == (3 * (h + gap) + gap, 3 * (w + gap) + 2 * gap, 3)
    original = sheet[gap : gap + h, gap : gap + w]
    flipped = sheet[gap : gap + h, 3 * gap + w : 3 * gap + 2 * w]
    np.testing.assert_array_equal(flipped, original[:, ::-1])
    row = client.get(f"/v1/datasets/{images}/preview", params={"limit": 1}).json()["rows"][0]
    np.testing.assert_array_equal(original[::scale, ::scale, 0], row["x"])


def test_the_sheet_depends_on_the_seed_alone(client: httpx.Client) -> None:
    def sheet(**params: int) -> bytes:
        answer = client.get("/v1/datasets/digits/augmented", params=params)
        assert answer.status_code == 200, answer.text
        return answer.content

    assert sheet() == sheet(seed=0) != sheet(seed=1)


@pytest.mark.parametrize(
    ("dataset", "spec", "pointer"),
    [
        ("iris", [{"type": "flip"}], "/spec/0"),
        ("digits", [{"type": "noise"}, {"type": "color"}], "/spec/1"),
        ("digits", [{"type": "shift"}, {"type": "zoom", "fill": "edge"}], "/spec/1/fill"),
        ("digits", [{"type": "rotate", "degrees": 400}], "/spec/0/degrees"),
        ("digits", [{"type": "rotat"}], "/spec/0/type"),
        ("digits", {"type": "rotate"}, "/spec"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused_with_its_place(
    client: httpx.Client, dataset: str, spec: object, pointer: str
) -> None:
    answer = client.get(f"/v1/datasets/{dataset}/augmented", params={"spec": json.dumps(spec)})
    faults = assert_problem(answer, 422)["errors"]
    assert (faults[0]["pointer"], faults[0]["in"]) == (pointer, "query")


@pytest.mark.parametrize("spec", ["", "[", "NaN", "[[[[", "[{}]", '[{"type":"noise","std":NaN}]'])
def test_a_spec_that_is_no_json_is_refused(client: httpx.Client, spec: str) -> None:
    assert_problem(client.get("/v1/datasets/digits/augmented", params={"spec": spec}), 422)


def test_a_job_is_refused_augmentations_that_do_not_fit(client: httpx.Client) -> None:
    job = {"data": {"train": "iris", "target": "label", "augment": [{"type": "noise"}, {"type": "shift"}]}}
    problem = assert_problem(client.post("/v1/jobs", json=job), 422)
    assert problem["errors"][0]["pointer"] == "/data/augment/1"
    job["data"]["augment"] = [{"type": "mixup"}]
    assert client.post("/v1/jobs", json=job, params={"validate_only": "true"}).status_code == 200
