"""A registered model answers over HTTP, in every form of rows, bit for bit what the engine answers in Python."""

import csv
import io
import json
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from engine import Model, load
from tests.service.shape import assert_problem
from worker.workspace import Workspace

HEADER = "age,work,hours,sex,income\n"
ADULTS = """39,State-gov,40,Male,<=50K
50,Self-emp,13,Male,<=50K
38,Private,40,Male,<=50K
53,Private,,Male,<=50K
28,Private,40,Female,>50K
37,?,45,Female,>50K
49,Private,16,Female,<=50K
52,Self-emp,45,Male,>50K
31,Private,50,Female,>50K
42,Private,40,Male,>50K
"""

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]
PEOPLE: list[dict[str, object]] = [
    {"age": 39, "work": "State-gov", "hours": 40, "sex": "Male"},
    {"age": 28.5, "work": None, "hours": None, "sex": "Female"},
    {"age": 61, "work": "Never-seen", "hours": 3, "sex": "Female"},
]


class Registered:
    """A model that is served, and the same model in Python."""

    def __init__(self, client: httpx.Client, backend: Workspace, name: str, job: str) -> None:
        self.client, self.path = client, f"/v1/models/{name}"
        answer = client.post(f"{self.path}/versions", json={"job": job})
        assert answer.status_code in (200, 201), answer.text
        self.model: Model = load(backend.jobs.model_path(job))

    @property
    def features(self) -> list[str]:
        return list(self.model.preprocessor.shapes)

    def predict(self, rows: object, **query: object) -> httpx.Response:
        return self.client.post(f"{self.path}/predict", json={"rows": rows}, params=query)  # type: ignore[arg-type]

    def send(self, content: bytes | str, kind: str, **headers: str) -> httpx.Response:
        body = content.encode() if isinstance(content, str) else content
        return self.client.post(f"{self.path}/predict", content=body, headers={"Content-Type": kind, **headers})


@pytest.fixture(scope="module")
def flowers(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Registered:
    """Three classes from four numbers."""
    return Registered(client, backend, "flowers", train(layers=[{"type": "dense", "units": 5}, {"type": "relu"}]))


@pytest.fixture(scope="module")
def progression(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Registered:
    """A value from ten numbers."""
    return Registered(client, backend, "progression", train(data={"train": "diabetes", "target": "target"}))


@pytest.fixture(scope="module")
def adults(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Registered:
    """Two classes from numbers and categories, some of them missing."""
    uploaded = client.post(
        "/v1/datasets?name=adults", content=(HEADER + ADULTS * 20).encode(), headers={"Content-Type": "text/csv"}
    )
    assert uploaded.status_code in (200, 201), uploaded.text
    return Registered(client, backend, "adults", train(data={"train": "adults", "target": "income"}))


@pytest.fixture(scope="module")
def tags(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Registered:
    """Three labels at once from two numbers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    archive = io.BytesIO()
    np.savez(archive, x=x, y=(x @ rng.normal(size=(2, 3)) > 0).astype(np.int64))
    uploaded = client.post(
        "/v1/datasets?name=tags", content=archive.getvalue(), headers={"Content-Type": "application/x-npz"}
    )
    assert uploaded.status_code in (200, 201), uploaded.text
    return Registered(client, backend, "tags", train(data={"train": "tags", "target": "label"}))


@pytest.fixture(params=["flowers", "progression", "adults", "tags"])
def any_model(request: pytest.FixtureRequest) -> tuple[Registered, list[dict[str, object]]]:
    """A model of every kind, and some rows for it."""
    model: Registered = request.getfixturevalue(request.param)
    if request.param == "adults":
        return model, [{**person} for person in PEOPLE]
    rng = np.random.default_rng(1)
    rows: list[dict[str, object]] = [
        {name: rng.normal(size=shape).round(3).tolist() for name, shape in model.model.preprocessor.shapes.items()}
        for _ in range(7)
    ]
    return model, rows


def test_objects_and_arrays_are_answered_as_the_engine_answers(
    any_model: tuple[Registered, list[dict[str, object]]],
) -> None:
    served, rows = any_model
    answer = served.predict(rows)
    assert answer.status_code == 200, answer.text
    expected = served.model.predict(rows)
    assert answer.json()["predictions"] == json.loads(json.dumps(expected))  # JSON keeps every bit of a float
    assert (answer.json()["model"], answer.json()["version"]) == (served.path.rpartition("/")[2], 1)
    assert answer.headers["trainshed-model"] == served.path.rpartition("/")[2] + "@1"
    arrays = [[row[name] for name in served.features] for row in rows]
    if served.features == ["x"]:  # an array may be sent as the row itself
        arrays = [row["x"] for row in rows]  # type: ignore[misc]
    assert served.predict(arrays).json() == answer.json()


def test_one_row_alone_is_answered_as_among_others(any_model: tuple[Registered, list[dict[str, object]]]) -> None:
    served, rows = any_model
    together = served.predict(rows).json()["predictions"]
    alone = [served.predict([row]).json()["predictions"][0] for row in rows]
    assert alone == together


@pytest.mark.parametrize("kind", ["flowers", "progression", "tags"])
def test_raw_floats_are_answered_as_the_same_numbers_in_json(kind: str, request: pytest.FixtureRequest) -> None:
    served: Registered = request.getfixturevalue(kind)
    width = sum(int(np.prod(shape)) for shape in served.model.preprocessor.shapes.values())
    X = np.random.default_rng(2).normal(size=(9, width)).astype("<f4")
    answer = served.send(X.tobytes(), "application/octet-stream")
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == served.predict(X.astype(float).tolist()).json()["predictions"]
    floats = served.send(X.tobytes(), "application/octet-stream", Accept="application/octet-stream")
    assert floats.headers["content-type"] == "application/octet-stream"
    np.testing.assert_array_equal(
        np.frombuffer(floats.content, "<f4").reshape(9, -1), served.model.answers(served.model.inputs(X))
    )
    problem = assert_problem(served.send(X.tobytes()[:-1], "application/octet-stream"), 422)
    assert f"{width} float32" in problem["detail"]


def test_csv_is_answered_in_csv_and_typed_as_an_upload_is(adults: Registered) -> None:
    text = "sex;hours;age;work\nMale;40;39;State-gov\nFemale;NA;28.5;?\n\nFemale;3;61;Never-seen\n"
    answer = adults.send(text, "text/csv; charset=utf-8")
    assert answer.headers["content-type"].startswith("text/csv"), answer.text
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    expected = adults.model.predict(PEOPLE)
    assert [row["label"] for row in rows] == [one["label"] for one in expected]
    for row, one in zip(rows, expected, strict=True):
        for label, probability in one["probabilities"].items():  # type: ignore[attr-defined]
            assert float(np.float32(float(row[f"probability_{label}"]))) == probability
    as_json = adults.send(text, "text/csv", Accept="application/json")
    assert as_json.json()["predictions"] == expected


def test_csv_is_read_as_programs_write_it(adults: Registered) -> None:
    text = "sex,hours,age,work\nMale,40,39,État\nFemale,,28.5,?\n"
    expected = adults.send(text, "text/csv").text
    lines = text.splitlines()
    indexed = "".join(f"{number},{line}\n" for number, line in zip(["", 0, 1], lines, strict=True))
    for body, kind in (
        (text.encode("utf-16"), "text/csv"),
        (text.encode("iso-8859-1"), "text/csv; charset=ISO-8859-1"),
        (text.encode("iso-8859-1"), "text/csv"),
        (indexed.encode(), "text/csv"),
        (("sep=;\n" + text.replace(",", ";")).encode(), "text/csv"),
        ("".join(f"{line},\n" for line in lines).encode(), "text/csv"),
        (("rows of today\n" + text).encode(), "text/csv"),
    ):
        answer = adults.send(body, kind)
        assert (answer.status_code, answer.text) == (200, expected)
    assert "not utf-8" in assert_problem(adults.send(b"sex\nM\xff\n", "text/csv; charset=utf-8"), 422)["detail"]
    assert (
        "'klingon' is unknown" in assert_problem(adults.send(b"sex\nM\n", "text/csv; charset=klingon"), 422)["detail"]
    )
    wide = assert_problem(adults.send(b"sex,age\nMale,4\nMale,3,2\n", "text/csv"), 422)
    assert "line 3 has 3 cells, but the header names 2 columns; it holds 'Male | 3 | 2'" in wide["detail"]


def test_csv_means_what_it_means_in_an_upload(adults: Registered, client: httpx.Client) -> None:
    answer = adults.send(HEADER.replace(",income", "") + ADULTS.replace(",<=50K", "").replace(",>50K", ""), "text/csv")
    assert answer.status_code == 200, answer.text
    rows = client.get("/v1/datasets/adults/preview?limit=10").json()["rows"]  # what the same text became as an upload
    expected, _ = adults.model.answers_to([{name: row[name] for name in adults.features} for row in rows])
    found = [float(row["probability_>50K"]) for row in csv.DictReader(io.StringIO(answer.text))]
    np.testing.assert_array_equal(np.array(found, np.float32), expected[:, 1])


def test_values_and_several_labels_have_columns_of_their_own(progression: Registered, tags: Registered) -> None:
    header = ",".join(progression.features)
    answer = progression.send(f"{header}\n{','.join(['0.01'] * 10)}\n", "text/csv")
    lines = answer.text.splitlines()
    (expected,) = progression.model.predict([[0.01] * 10])
    assert lines[0] == "value" and np.float32(lines[1]) == np.float32(expected["value"])  # type: ignore[arg-type]
    row = np.array([[0.5, -1.0]], "<f4")
    answer = tags.send(row.tobytes(), "application/octet-stream", Accept="text/csv")
    names = answer.text.splitlines()[0].split(",")
    assert names == [*(f"label_{n}" for n in range(3)), *(f"probability_label_{n}" for n in range(3))]
    assert_problem(tags.send("x\n1\n", "text/csv"), 422)  # no cell holds an array


def test_the_likeliest_labels_come_first(flowers: Registered, tags: Registered, progression: Registered) -> None:
    full = flowers.predict(FLOWERS).json()["predictions"]
    top = flowers.predict(FLOWERS, top_k=2).json()["predictions"]
    for one, all_of_it in zip(top, full, strict=True):
        order = sorted(all_of_it["probabilities"].items(), key=lambda item: -item[1])[:2]
        assert [(str(entry["label"]), entry["probability"]) for entry in one["top"]] == order
        assert one["label"] == all_of_it["label"] and "probabilities" not in one
    assert len(flowers.predict(FLOWERS, top_k=99).json()["predictions"][0]["top"]) == 3
    assert len(tags.predict([[0.1, 0.2]], top_k=1).json()["predictions"][0]["top"]) == 1
    assert_problem(progression.predict([[0.0] * 10], top_k=1), 422)
    assert_problem(flowers.predict(FLOWERS, top_k=0), 422)


def test_every_fault_of_every_row_is_named(adults: Registered) -> None:
    rows: list[object] = [
        PEOPLE[0],
        {"age": "old", "hours": 40, "sex": "Male", "wrok": "Private"},
        {**PEOPLE[0], "sex": [3], "age": False},
        [39, "State-gov", "many", "Male"],
        [39],
    ]
    problem = assert_problem(adults.predict(rows), 422)
    assert problem["code"] == "invalid_row"
    said = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert list(said)[:2] == ["/rows/1/wrok", "/rows/1/age"]
    assert "'work'" in said["/rows/1/wrok"] and "numbers" in said["/rows/1/age"]  # what was meant, what it takes
    assert {"/rows/2/sex", "/rows/2/age", "/rows/3/2"} < set(said)
    assert any(pointer.startswith("/rows/4") for pointer in said)
    misspelled = assert_problem(adults.send("age,work,hours,sexx\n1,2,3,Male\n", "text/csv"), 422)
    assert [error["pointer"] for error in misspelled["errors"]] == ["/rows/0/sexx"]
    mistyped = assert_problem(adults.send("age,work,hours,sex\n1,Private,3,Male\nold,?,3,Male\n", "text/csv"), 422)
    assert [error["pointer"] for error in mistyped["errors"]] == ["/rows/1/age"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ("{}", "application/json", 422),
        ('{"rows": []}', "application/json", 422),
        ('{"rows": [1]}', "application/json", 422),
        ('{"rows": [[1, 2, 3, NaN]]}', "application/json", 422),
        ('{"rows"', "application/json", 400),
        ("", "text/csv", 422),
        ("a,b\n", "text/csv", 422),
        ("x", "text/plain", 415),
        ("", "application/octet-stream", 422),
    ],
)
def test_a_body_that_is_no_rows_is_refused(flowers: Registered, content: str, kind: str, status: int) -> None:
    assert_problem(flowers.send(content, kind), status)


def test_the_version_that_is_meant_answers(
    flowers: Registered, client: httpx.Client, train: Callable[..., str]
) -> None:
    client.put(f"{flowers.path}/aliases/production", json={"version": 1})
    job = train(seed=3)
    assert client.post(f"{flowers.path}/versions", json={"job": job}).json()["version"] == 2
    asked = [
        flowers.predict(FLOWERS, **which).json()["version"] for which in ({}, {"alias": "production"}, {"version": 1})
    ]
    assert asked == [2, 1, 1]
    client.put(f"{flowers.path}/aliases/production", json={"version": 2})
    assert flowers.predict(FLOWERS, alias="production").json()["version"] == 2
    client.post(f"{flowers.path}/aliases/production/rollback")
    assert flowers.predict(FLOWERS, alias="production").json()["version"] == 1
    assert client.delete(f"{flowers.path}/versions/2").status_code == 204
    assert flowers.predict(FLOWERS).json()["version"] == 1
    assert_problem(flowers.predict(FLOWERS, version=2), 404)
    assert_problem(flowers.predict(FLOWERS, alias="staging"), 404)
    assert_problem(flowers.predict(FLOWERS, alias="production", version=1), 422)
    assert_problem(client.post("/v1/models/nothing/predict", json={"rows": FLOWERS}), 404)
