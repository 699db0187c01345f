"""Datasets go in as files and are found again by id and by name."""

import gzip
import io
import zipfile

import httpx
import numpy as np
import pytest
from safetensors.numpy import save

from tests.service.shape import assert_problem

CSV = {"Content-Type": "text/csv"}


def table(rows: int, offset: float = 0.0) -> bytes:
    lines = [f"{i + offset},{i * 2},{i % 2}" for i in range(rows)]
    return ("x1,x2,label\n" + "\n".join(lines) + "\n").encode()


def test_an_uploaded_dataset_is_found_by_id_and_by_name(client: httpx.Client) -> None:
    answer = client.post("/v1/datasets", params={"name": "ours"}, content=table(10), headers=CSV)
    assert answer.status_code == 201, answer.text
    dataset = answer.json()
    assert answer.headers["location"] == f"/v1/datasets/{dataset['id']}"
    assert (dataset["name"], dataset["rows"], dataset["bytes"]) == ("ours", 10, len(table(10)))
    assert client.get(answer.headers["location"]).json() == dataset
    assert client.get("/v1/datasets/ours").json() == dataset
    preview = client.get("/v1/datasets/ours/preview", params={"limit": 2})
    assert preview.status_code == 200 and "x1" in preview.text


def test_the_same_upload_again_is_answered_with_the_first(client: httpx.Client) -> None:
    first = client.post("/v1/datasets", params={"name": "twice"}, content=table(4), headers=CSV)
    again = client.post("/v1/datasets", params={"name": "twice"}, content=table(4), headers=CSV)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_the_same_content_in_another_archive_is_no_new_version(client: httpx.Client) -> None:
    """Two zips of equal arrays whose members carry other times, so that no byte count or hash of them agrees."""
    arrays = {"x": np.arange(12.0).reshape(6, 2), "y": np.arange(6) % 2}
    archives = []
    for year, compression in ((1999, zipfile.ZIP_STORED), (2024, zipfile.ZIP_DEFLATED)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", compression) as archive:
            for name, array in arrays.items():
                member = io.BytesIO()
                np.save(member, array)
                info = zipfile.ZipInfo(f"{name}.npy", (year, 1, 2, 3, 4, 6))
                archive.writestr(info, member.getvalue(), compression)
        archives.append(packed.getvalue())
    npz = {"Content-Type": "application/x-npz"}
    first, again = (client.post("/v1/datasets", params={"name": "zipped"}, content=a, headers=npz) for a in archives)
    assert archives[0] != archives[1] and (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_other_content_under_a_name_is_its_next_version(client: httpx.Client) -> None:
    first, second = (
        client.post("/v1/datasets", params={"name": "grows"}, content=table(rows), headers=CSV).json()
        for rows in (4, 5)
    )
    assert (first["version"], second["version"]) == (1, 2)
    assert client.get("/v1/datasets/grows").json() == second
    assert client.get("/v1/datasets/grows@1").json() == client.get(f"/v1/datasets/{first['id']}").json() == first
    listed = client.get("/v1/datasets", params={"name": "grows"}).json()["data"]
    assert [dataset["id"] for dataset in listed] == [second["id"], first["id"]]
    assert_problem(client.get("/v1/datasets/grows@3"), 404)
    assert client.delete("/v1/datasets/grows").status_code == 204
    assert client.get("/v1/datasets/grows").json() == first
    third = client.post("/v1/datasets", params={"name": "grows"}, content=table(6), headers=CSV).json()
    assert third["version"] == 3


def test_a_job_keeps_the_version_that_it_was_submitted_with(client: httpx.Client) -> None:
    first = client.post("/v1/datasets", params={"name": "pinned"}, content=table(30), headers=CSV).json()
    job = client.post("/v1/jobs", json={"data": {"train": "pinned", "target": "label"}}).json()
    client.post("/v1/datasets", params={"name": "pinned"}, content=table(31), headers=CSV)
    later = client.post("/v1/jobs", json={"data": {"train": "pinned", "target": "label"}}).json()
    named = client.post("/v1/jobs", json={"data": {"train": "pinned@1", "target": "label"}}).json()
    assert job["data_hash"] == named["data_hash"] != later["data_hash"]
    problem = assert_problem(client.delete("/v1/datasets/pinned@1"), 409)
    assert job["id"] in problem["detail"]
    usage = client.get("/v1/datasets/pinned@1/usage").json()
    assert (usage["id"], usage["version"], usage["jobs"], usage["live"], usage["models"]) == (first["id"], 1, 2, 2, 0)
    assert [(use["job"], use["reference"]) for use in usage["uses"]] == [
        (named["id"], "pinned@1"),
        (job["id"], "pinned"),
    ]
    assert usage["upload_bytes"] == len(table(30)) and usage["stored_bytes"] > 0


def test_a_preview_shows_types_what_is_missing_and_histograms(client: httpx.Client) -> None:
    client.post("/v1/datasets", params={"name": "shown"}, content=table(10), headers=CSV)
    preview = client.get("/v1/datasets/shown/preview", params={"limit": 2}).json()
    assert len(preview["rows"]) == 2
    x1, _, label = preview["summary"]
    assert (x1["name"], x1["type"], x1["missing"], x1["min"], x1["max"]) == ("x1", "number", 0, 0, 9)
    assert sum(x1["histogram"]["counts"]) == 10
    assert len(x1["histogram"]["edges"]) == len(x1["histogram"]["counts"]) + 1
    assert label["classes"] == [0, 1] and label["histogram"]["counts"] == [5, 5]


def test_an_npz_keeps_its_parts(client: httpx.Client) -> None:
    file = io.BytesIO()
    np.savez(
        file,
        x_train=np.zeros((4, 2, 2)),
        y_train=np.arange(4),
        x_test=np.ones((2, 2, 2)),
        y_test=np.arange(2),
    )
    answer = client.post(
        "/v1/datasets",
        params={"name": "images"},
        content=file.getvalue(),
        headers={"Content-Type": "application/x-npz"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["rows"] == 6


def test_pages_are_newest_first_and_join_up(client: httpx.Client) -> None:
    for number in range(3):
        client.post("/v1/datasets", params={"name": f"page-{number}"}, content=table(3, number), headers=CSV)
    first = client.get("/v1/datasets", params={"limit": 2}).json()
    assert [dataset["name"] for dataset in first["data"]] == ["page-2", "page-1"] and first["has_more"]
    after = first["data"][-1]["id"]
    assert client.get("/v1/datasets", params={"limit": 1, "after": after}).json()["data"][0]["name"] == "page-0"


def test_a_deleted_dataset_is_gone(client: httpx.Client) -> None:
    client.post("/v1/datasets", params={"name": "gone-for-good"}, content=table(3, 9), headers=CSV)
    assert client.delete("/v1/datasets/gone-for-good").status_code == 204
    assert_problem(client.get("/v1/datasets/gone-for-good"), 404)
    assert_problem(client.delete("/v1/datasets/gone-for-good"), 404)


def test_a_dataset_that_a_job_needs_stays(client: httpx.Client) -> None:
    client.post("/v1/datasets", params={"name": "needed"}, content=table(30, 7), headers=CSV)
    job = client.post("/v1/jobs", json={"data": {"train": "needed", "target": "label"}}).json()
    problem = assert_problem(client.delete("/v1/datasets/needed"), 409)
    assert job["id"] in problem["detail"]


def test_a_sample_set_is_there_from_the_start(client: httpx.Client) -> None:
    assert client.get("/v1/datasets/iris").json()["rows"] == 150
    assert "did you mean 'iris'" in assert_problem(client.get("/v1/datasets/irsi"), 404)["detail"].lower()


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_parameters_are_stored_with_their_shapes(client: httpx.Client, kind: str) -> None:
    tensors = {"W1": np.ones((4, 3)), "b1": np.zeros(3)}
    file = io.BytesIO()
    np.savez(file, **tensors)  # type: ignore[arg-type]  # numpy types the keywords as its own options
    body, media_type = (
        (file.getvalue(), "application/x-npz") if kind == "npz" else (save(tensors), "application/vnd.safetensors")
    )
    answer = client.post("/v1/parameters", params={"name": kind}, content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 201, answer.text
    assert answer.json()["tensors"] == {"W1": [4, 3], "b1": [3]}
    assert client.get(answer.headers["location"]).json() == answer.json()
    assert kind in [stored["name"] for stored in client.get("/v1/parameters").json()["data"]]


def test_weights_from_elsewhere_come_under_our_names(client: httpx.Client) -> None:
    state = {"0.weight": np.ones((3, 4)), "0.bias": np.zeros(3), "1.num_batches_tracked": np.array(7)}
    state |= {f"1.{name}": np.ones(3) for name in ("weight", "bias", "running_mean", "running_var")}
    file = io.BytesIO()
    np.savez(file, **state)  # type: ignore[arg-type]  # numpy types the keywords as its own options
    for name, body, kind in (("a", file.getvalue(), "x-npz"), ("b", save(state), "vnd.safetensors")):
        headers = {"Content-Type": f"application/{kind}"}
        answer = client.post("/v1/parameters", params={"name": f"torch-{name}"}, content=body, headers=headers)
        assert answer.status_code == 201, answer.text
        shapes = {"W1": [4, 3], "b1": [3], "batches1": [1]}
        shapes |= {name: [3] for name in ("gamma1", "beta1", "mean1", "variance1")}
        assert answer.json()["tensors"] == shapes
        other = {"name": f"keras-{name}", "layout": "keras"}
        problem = assert_problem(client.post("/v1/parameters", params=other, content=body, headers=headers), 422)
        assert "dense/kernel" in problem["detail"]


def test_what_was_guessed_of_a_file_is_said_and_an_option_settles_it(client: httpx.Client) -> None:
    body = "Bäume im Park\nhöhe;art\n4,5;fichte\n7,1;eiche\n".encode("cp1252")
    answer = client.post("/v1/datasets", params={"name": "guessed"}, content=body, headers=CSV)
    assert answer.status_code == 201, answer.text
    guesses = answer.json()["summary"]["guesses"]
    assert {guess["what"]: guess["settle"] for guess in guesses} == {
        "encoding": "encoding=windows-1252", "title": "header=2", "delimiter": "delimiter=semicolon",
    }  # fmt: skip
    assert client.get("/v1/datasets/guessed").json()["summary"]["guesses"] == guesses
    settled = "&".join(guess["settle"] for guess in guesses)
    again = client.post(f"/v1/datasets?name=guessed&{settled}", content=body, headers=CSV)
    assert again.status_code == 200
    assert again.json() == answer.json() | {"summary": answer.json()["summary"] | {"guesses": []}}
    assert client.get("/v1/datasets/guessed").json() == again.json()


def test_a_charset_is_heeded_raw_and_in_a_form(client: httpx.Client) -> None:
    body = "дерево,art\n1,ж\n2,ж\n".encode("iso-8859-5")
    kind = "text/csv; charset=iso-8859-5"
    raw = client.post("/v1/datasets?name=raw", content=body, headers={"Content-Type": kind})
    form = client.post("/v1/datasets?name=form", files={"file": ("data.csv", body, kind)})
    for answer in (raw, form):
        assert answer.status_code == 201, answer.text
        assert [column["name"] for column in answer.json()["summary"]["columns"]] == ["дерево", "art"]
        assert answer.json()["summary"]["guesses"] == []
    wrong = client.post("/v1/datasets?name=raw", content=body, headers={"Content-Type": "text/csv; charset=utf-8"})
    assert "not UTF-8" in assert_problem(wrong, 422)["detail"]
    unknown = client.post("/v1/datasets?name=raw", content=body, headers={"Content-Type": "text/csv; charset=klingon"})
    assert "'klingon' is unknown" in assert_problem(unknown, 422)["detail"]


def test_a_compressed_table_is_the_dataset_that_it_is_unpacked(client: httpx.Client) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("table.csv", table(50))
    plain = client.post("/v1/datasets?name=plain", content=table(50), headers=CSV).json()
    for number, (body, headers) in enumerate(
        (
            (gzip.compress(table(50)), CSV),
            (gzip.compress(table(50)), CSV | {"Content-Encoding": "identity"}),
            (gzip.compress(table(50)), CSV | {"Content-Encoding": "gzip"}),
            (gzip.compress(gzip.compress(table(50))), CSV | {"Content-Encoding": "gzip"}),
            (gzip.compress(table(50)), {"Content-Type": "application/gzip"}),
            (archive.getvalue(), {"Content-Type": "application/zip"}),
        )
    ):
        answer = client.post("/v1/datasets", params={"name": f"packed{number}"}, content=body, headers=headers)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["summary"], answer.json()["sha256"]) == (plain["summary"], plain["sha256"])
        assert answer.json()["media_type"] == "text/csv"
    file = {"file": ("table.csv.gz", gzip.compress(table(50)), "application/octet-stream")}
    assert client.post("/v1/datasets?name=packed9", files=file).json()["sha256"] == plain["sha256"]
    assert_problem(client.post("/v1/datasets?name=bad&size=2x2", content=archive.getvalue(), headers={
        "Content-Type": "application/zip"
    }), 422)  # fmt: skip


def test_an_option_of_csv_that_does_not_apply_or_means_nothing_is_refused(client: httpx.Client) -> None:
    said = client.post("/v1/datasets?name=bad&header=maybe", content=table(9), headers=CSV)
    assert assert_problem(said, 422)["errors"][0]["pointer"] == "/header"
    said = client.post("/v1/datasets?name=bad&delimiter=ab", content=table(9), headers=CSV)
    assert "delimiter=ab cannot be" in assert_problem(said, 422)["detail"]
    json = {"Content-Type": "application/json"}
    said = client.post("/v1/datasets?name=bad&header=true", content=b'[{"a": 1}, {"a": 2}]', headers=json)
    assert "'header' does not apply to application/json" in assert_problem(said, 422)["detail"]


def test_ways_in_which_files_are_sent_wrongly_are_answered_with_the_right_one(client: httpx.Client) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/octet-stream", "text/plain"):
        problem = assert_problem(
            client.post("/v1/datasets?name=bad", content=table(9), headers={"Content-Type": kind}), 415
        )
        assert "curl -H 'Content-Type: text/csv' --data-binary @data.csv" in problem["detail"]
    stripped = client.post("/v1/datasets?name=bad", content=table(9).replace(b"\n", b""), headers=CSV)
    assert "--data-binary @file" in assert_problem(stripped, 422)["detail"]
