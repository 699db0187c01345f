"""`GET /v1/datasets/{id}/checks`: what is wrong with data, before a job learns it."""

import json

import httpx
import numpy as np
import pytest

from tests.service.shape import assert_problem

CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def patients(client: httpx.Client) -> str:
    """300 visits of 60 people; one column repeats another, one is the answer, one visit stands twice."""
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 300)
    columns = {
        "person": np.repeat(np.arange(60), 5)[generator.permutation(300)],
        "age": generator.normal(50, 10, 300).round(3),
        "again": np.zeros(300),
        "diagnosis": label * 2.5,
        "part": np.arange(300) % 3,
        "label": label,
    }
    columns["again"] = columns["age"]
    for values in columns.values():
        values[4] = values[0]  # row 0 is train, row 4 is dev
    columns["part"][4] = 1
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    text = ",".join(columns) + "\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    answer = client.post("/v1/datasets", params={"name": "patients"}, content=text.encode(), headers=CSV)
    assert answer.status_code == 201, answer.text
    return "patients"


def checks(client: httpx.Client, dataset: str, **query: str) -> httpx.Response:
    return client.get(f"/v1/datasets/{dataset}/checks", params=query)


def test_findings_come_with_severity_sentence_and_advice(client: httpx.Client, patients: str) -> None:
    answer = checks(client, patients, target="label", split='{"type": "column", "column": "part"}')
    assert answer.status_code == 200, answer.text
    report = answer.json()
    by_check = {finding["check"]: finding for finding in report["findings"]}
    assert by_check["giveaway"]["columns"] == ["diagnosis", "label"]
    assert by_check["duplicated_columns"]["columns"] == ["again", "age"]
    assert "row 4 of patients has those of row 0" in by_check["leaked_rows"]["message"]
    assert report["findings"][0]["severity"] == "serious"
    assert all(finding["message"] and finding["advice"] for finding in report["findings"])
    assert sum(report["split"]["rows"].values()) == 300
    assert [mismatch["sets"] for mismatch in report["mismatches"]] == [["train", "dev"], ["dev", "test"]]
    assert {entry["label"] for entry in report["classes"]["classes"]} == {"0", "1"}


def test_without_a_target_the_checks_that_need_none_are_made(client: httpx.Client, patients: str) -> None:
    report = checks(client, patients).json()
    assert report["classes"] is None and report["strongest"] == []
    assert "duplicated_columns" in [finding["check"] for finding in report["findings"]]


def test_a_grouped_split_keeps_people_together(client: httpx.Client, patients: str) -> None:
    split = json.dumps({"type": "fractions", "group_by": "person"})
    assert checks(client, patients, target="label", split=split).status_code == 200
    spec = {"data": {"train": patients, "target": "label", "split": {"type": "fractions", "group_by": "person"}}}
    assert client.post("/v1/jobs", json=spec, params={"validate_only": "true"}).status_code == 200


def test_the_same_question_is_answered_alike_by_id_and_by_name(client: httpx.Client) -> None:
    dataset = client.get("/v1/datasets/wine").json()
    first, second = (checks(client, reference, target="label") for reference in ("wine", dataset["id"]))
    assert first.json() == second.json()
    assert first.headers["etag"] == second.headers["etag"]


@pytest.mark.parametrize(
    ("query", "pointer", "says"),
    [
        ({"target": "lable"}, "/target", "label"),
        ({"split": "{"}, "/split", "JSON"),
        ({"split": '{"type": "fraction"}'}, "/split/type", "fractions"),
        ({"split": '{"type": "fractions", "train": 0.9}'}, "/split", "must be 1"),
        ({"split": '{"type": "fractions", "train": null}'}, "/split", "null for all three"),
        ({"split": '{"type": "fractions", "train": NaN}'}, "/split/train", "NaN"),
        ({"split": '{"type": "fractions", "group_by": "persom"}'}, "/split/group_by", "person"),
        ({"split": '{"type": "column", "column": "age"}'}, "/split/column", "0 (train)"),
        ({"split": '{"type": "given", "dev": "nowhere"}'}, "/split/dev", "nowhere"),
        ({"split": '{"type": "given", "dev": "iris"}'}, "/split/dev", "person"),
        ({"targets": "label"}, "/targets", "did you mean 'target'"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused(
    client: httpx.Client, patients: str, query: dict[str, str], pointer: str, says: str
) -> None:
    problem = assert_problem(checks(client, patients, **query), 422)
    assert [(error["pointer"], error["in"]) for error in problem["errors"]] == [(pointer, "query")]
    assert says in problem["detail"]


def test_there_is_nothing_to_check_of_a_dataset_that_is_not_there(client: httpx.Client) -> None:
    assert_problem(checks(client, "nowhere"), 404)
    assert_problem(client.get("/v1/datasets/nowhere/usage"), 404)


def test_what_was_guessed_of_the_file_is_a_finding_with_the_query_that_settles_it(client: httpx.Client) -> None:
    rows = [{"weight": f"{row},5 kg", "y": ["a", "b"][row % 2]} for row in range(40)]
    body = json.dumps({"data": rows}).encode()
    answer = client.post("/v1/datasets?name=guessed", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    told = {finding["check"]: finding for finding in checks(client, "guessed", target="y").json()["findings"]}
    for guess in answer.json()["summary"]["guesses"]:
        assert guess["detail"] in told["guess"]["message"]
        assert (told["guess"]["settle"] or {}).get("upload") == (guess["settle"] or None)
    assert told["number_format"]["settle"]["job"]["data"]["columns"]["weight"]["unit"] == "kg"


def test_what_a_job_will_refuse_is_found_and_named_at_once_by_its_refusal(client: httpx.Client) -> None:
    lines = [
        f"2021-06-{1 + row % 30:02},note {row} of many,{row % 7},{'' if row < 3 else row % 2}" for row in range(60)
    ]
    text = "\n".join(["day,remark,x,y", *lines])
    assert client.post("/v1/datasets?name=unready", content=text.encode(), headers=CSV).status_code == 201
    report = checks(client, "unready", target="y").json()
    refused = [finding for finding in report["findings"] if finding["severity"] == "refused"]
    assert [finding["columns"] for finding in refused] == [["day"], ["remark"], ["y"]]
    assert (refused[2]["count"], refused[2]["examples"]) == (3, ["row 0", "row 1", "row 2"])
    spec = {"data": {"train": "unready", "target": "y"}}
    problem = assert_problem(client.post("/v1/jobs", json=spec), 422)
    assert [error["detail"] for error in problem["errors"]] == [
        finding["message"].removeprefix("A job is refused: ").removesuffix(".") for finding in refused
    ]
    assert problem["detail"].startswith("3 things are wrong: (1) column 'day' holds dates")
    for finding in refused[:2]:
        spec["data"].setdefault("columns", {}).update(finding["settle"]["job"]["data"]["columns"])
    problem = assert_problem(client.post("/v1/jobs", json=spec), 422)
    assert "missing in 3 of 60 rows" in problem["detail"] and len(problem["errors"]) == 1
