"""Of an answer the fields that are asked for, and nothing else of it; as CSV they are the columns."""

import csv
import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.metrics import METRICS
from service.http.csv_answers import value_at
from service.http.fields import Selection, selected
from service.routes.jobs import COLUMNS
from service.views.result import ResultView
from tests.service.bad_uploads import npz
from tests.service.shape import assert_problem

Submit = Callable[..., str]

NAMES = st.sampled_from("abc")
DOCUMENTS = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=12,
)


@given(DOCUMENTS, st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4))
@example({"a": {"b": 1, "c": 2}}, [("a", "b"), ("a",)])
@example({"a": {"b": 1, "c": 2}}, [("a",), ("a", "b")])
def test_what_is_selected_is_there_as_it_was_and_nothing_beside_it(document: Any, paths: list[tuple[str, ...]]) -> None:
    found = selected(document, Selection(tuple(paths)).tree())
    for path in paths:
        assert value_at(found, path) == value_at(document, path)
    for leaf in leaves(found):
        assert any(leaf[: len(path)] == path or path[: len(leaf)] == leaf for path in paths), (leaf, paths)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all that holds no other names."""
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in leaves(inner, (*path, name))]
    if isinstance(value, list) and value:
        return [leaf for inner in value for leaf in leaves(inner, path)]
    return [path] if path else []


def test_a_job_has_the_fields_that_are_asked_for(client: httpx.Client, train: Submit) -> None:
    path = f"/v1/jobs/{train()}"
    whole = client.get(path)
    fields = "id, result.test.accuracy,timeline.state,spec.optimizer.type,spec.layers,environment.kernels"
    answer = client.get(path, params={"fields": fields})
    job = whole.json()
    assert answer.json() == {
        "id": job["id"],
        "result": {"test": {"accuracy": job["result"]["test"]["accuracy"]}},
        "timeline": [{"state": entry["state"]} for entry in job["timeline"]],
        "spec": {"optimizer": {"type": "adam"}, "layers": job["spec"]["layers"]},
        "environment": {name: value for name, value in job["environment"].items() if name == "kernels"},
    }
    held = {"If-None-Match": answer.headers["etag"]}
    assert answer.headers["etag"] != whole.headers["etag"]
    assert client.get(path, params={"fields": fields}, headers=held).status_code == 304
    assert client.get(path, headers=held).status_code == 200


def test_a_list_has_them_of_every_entry(client: httpx.Client, job: Submit) -> None:
    job(name="one")
    job(name="two")
    page = client.get("/v1/jobs", params={"fields": "name,result.test.accuracy", "limit": 2}).json()
    assert page == {"data": [{"name": "two", "result": None}, {"name": "one", "result": None}], "has_more": True}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/datasets", "name,summary.rows"),
        ("/v1/datasets/iris", "id,rows"),
        ("/v1/models", "name,newest"),
        ("/v1/models/of-fields", "name,aliases"),
        ("/v1/models/of-fields/versions", "version,metrics.test.accuracy,spec.name"),
        ("/v1/models/of-fields/versions/1", "version,job"),
    ],
)
def test_other_views_have_them_too(client: httpx.Client, train: Submit, path: str, fields: str) -> None:
    if client.get("/v1/models/of-fields").is_error:
        client.post("/v1/models/of-fields/versions", json={"job": train()})
    whole, chosen = client.get(path).json(), client.get(path, params={"fields": fields}).json()
    for entry, part in zip(whole.get("data", [whole]), chosen.get("data", [chosen]), strict=True):
        assert part.keys() == {field.partition(".")[0] for field in fields.split(",")}
        for field in fields.split(","):
            assert value_at(part, tuple(field.split("."))) == value_at(entry, tuple(field.split(".")))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("id,stat", "'stat'; did you mean 'state'?"),
        ("result.tset.accuracy", "'tset'; did you mean 'test'?"),
        ("result.test.acuracy", "field of result.test 'acuracy'; did you mean 'accuracy'?"),
        ("spec.layers.unit", "did you mean 'units'?"),
        ("progress.fracton", "did you mean 'fraction'?"),
        ("id.x", "'id' has no fields"),
        ("result.test.accuracy.x", "'result.test.accuracy' has no fields"),
        ("", "unknown field ''"),
        ("id,", "unknown field ''"),
        ("..", "unknown field ''"),
        ("id\ud7ff\x00", "unknown field"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/job_0", "/v1/jobs?format=csv"])
def test_a_field_that_is_not_there_is_refused(client: httpx.Client, path: str, fields: str, says: str) -> None:
    problem = assert_problem(client.get(path, params={**httpx.URL(path).params, "fields": fields}), 422)
    assert [(error["pointer"], error["in"]) for error in problem["errors"]] == [("/fields", "query")]
    assert says in problem["detail"]


ANSWERS = {
    "classes": np.arange(12) % 2,
    "multilabel": np.arange(36).reshape(12, 3) % 2,
    "values": np.linspace(0.0, 1.0, 12),
}


@pytest.mark.parametrize("kind", METRICS)
def test_every_field_of_a_result_is_known(client: httpx.Client, train: Submit, kind: str) -> None:
    """Whatever a trained job of any kind has to show may be asked for."""
    content = npz(x=np.linspace(0.0, 1.0, 24).reshape(12, 2), y=ANSWERS[kind])
    client.post(f"/v1/datasets?name={kind}", content=content, headers={"Content-Type": "application/x-npz"})
    path = f"/v1/jobs/{train(data={'train': kind, 'target': 'label'})}"
    result = client.get(path).json()["result"]
    assert METRICS[kind].keys() <= result["train"].keys()
    fields = {".".join(leaf[:2]) for leaf in leaves(result)}
    answer = client.get(path, params={"fields": ",".join(f"result.{field}" for field in fields)})
    assert answer.json() == {"result": result}
    assert set(ResultView.model_fields) >= result.keys()


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.headers["content-type"].startswith("text/csv"), answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def test_jobs_are_listed_as_csv(client: httpx.Client, train: Submit, job: Submit) -> None:
    trained, name = train(), '=1+1, "a" ½'
    waiting = job(name=name)
    page = {entry["id"]: entry for entry in client.get("/v1/jobs", params={"limit": 2}).json()["data"]}
    assert page.keys() == {trained, waiting}
    for options in (
        {"params": {"limit": 2, "format": "csv"}},
        {"params": {"limit": 2}, "headers": {"Accept": "text/csv"}},
    ):
        answer = client.get("/v1/jobs", **options)  # type: ignore[arg-type]
        assert answer.text.startswith("id,name,state,done,") and answer.text.count("\r\n") == 3
        rows = {row["id"]: row for row in rows_of(answer)}
        assert list(rows) == list(page)
        assert rows[waiting]["name"] == name and rows[waiting]["done"] == "false"
        assert float(rows[trained]["result.test.accuracy"]) == page[trained]["result"]["test"]["accuracy"]
        assert rows[trained]["result.test.rmse"] == rows[waiting]["result.test.accuracy"] == ""
        assert set(rows[trained]) == {".".join(path) for path in COLUMNS}
    assert client.get("/v1/jobs", headers={"Accept": "text/csv"}).headers["vary"].startswith("Accept")
    assert client.get("/v1/jobs").headers["vary"].startswith("Accept")  # by the short way


def test_the_columns_of_a_table_are_the_fields_that_are_asked_for(client: httpx.Client, job: Submit) -> None:
    job_id = job(layers=[{"type": "dense", "units": 3}, {"type": "tanh"}])
    fields = ["spec.optimizer.learning_rate", "spec.layers.type", "id", "done", "spec.data.split"]
    answer = client.get("/v1/jobs", params={"fields": ",".join(fields), "limit": 1, "format": "csv"})
    (row,) = rows_of(answer)
    assert list(row) == fields
    assert (row["id"], row["done"], row["spec.optimizer.learning_rate"]) == (job_id, "false", "0.001")
    assert row["spec.layers.type"] == '["dense", "tanh"]'
    assert row["spec.data.split"].startswith('{"type": "fractions"')


def test_the_pages_of_a_table_are_linked(client: httpx.Client, job: Submit) -> None:
    expected = [job(name="linked") for _ in range(5)][::-1]
    url, pages = client.base_url.join("/v1/jobs?limit=2&fields=id&state=queued"), []
    while len(pages) < 3:
        answer = client.get(url, headers={"Accept": "text/csv"})
        pages.append([row["id"] for row in rows_of(answer)])
        if "next" in answer.links:
            url = answer.url.join(answer.links["next"]["url"])
    assert [job_id for page in pages for job_id in page][:5] == expected
    assert [len(page) for page in pages[:2]] == [2, 2]
    last = client.get("/v1/jobs", params={"format": "csv", "limit": 1, "after": "job_" + "0" * 32})
    assert rows_of(last) == [] and "link" not in last.headers and last.text.startswith("id,name,")


def test_a_table_is_not_sent_twice(client: httpx.Client, job: Submit) -> None:
    job()
    asked: dict[str, Any] = {"params": {"format": "csv", "fields": "id,state", "limit": 1}}
    answer = client.get("/v1/jobs", **asked)
    again = client.get("/v1/jobs", headers={"If-None-Match": answer.headers["etag"]}, **asked)
    assert (again.status_code, again.content) == (304, b"")
