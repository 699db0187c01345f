"""The Open Inference Protocol, spoken by the clients that people have: tritonclient and the working group's own."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.types import InferenceRequest, RequestInput
from tritonclient.utils import InferenceServerException

from engine import Model, load
from tests.service.running import Running
from worker.workspace import Workspace

ADULTS = b"""age,work,hours,sex,income
39,State-gov,40,true,<=50K
50,Self-emp,13,true,<=50K
38,Private,40,true,<=50K
53,Private,,true,<=50K
28,Private,40,false,>50K
37,?,45,false,>50K
52,Self-emp,45,true,>50K
31,Private,50,false,>50K
"""
HEADER, _, LINES = ADULTS.partition(b"\n")
PEOPLE = [[39.0, "State-gov", 40.0, True], [28.5, "", 31.0, False], [61.0, "Never-seen", 3.0, False]]
FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]], np.float32)


def register(client: httpx.Client, backend: Workspace, name: str, job: str) -> Model:
    answer = client.post(f"/v1/models/{name}/versions", json={"job": job})
    assert answer.status_code in (200, 201), answer.text
    return load(backend.jobs.model_path(job))


@pytest.fixture(scope="module")
def flowers(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Model:
    """Three classes from four numbers."""
    return register(client, backend, "oip-flowers", train(layers=[{"type": "dense", "units": 5}, {"type": "relu"}]))


@pytest.fixture(scope="module")
def progression(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Model:
    """A value from ten numbers."""
    return register(client, backend, "oip-progression", train(data={"train": "diabetes", "target": "target"}))


@pytest.fixture(scope="module")
def adults(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Model:
    """Two classes from numbers, a category and a boolean, some of them missing."""
    content = HEADER + b"\n" + LINES * 20
    uploaded = client.post("/v1/datasets?name=oip-adults", content=content, headers={"Content-Type": "text/csv"})
    assert uploaded.status_code in (200, 201), uploaded.text
    return register(client, backend, "oip-adults", train(data={"train": "oip-adults", "target": "income"}))


@pytest.fixture(scope="module")
def server(running: Running) -> Iterator[Any]:
    with triton.InferenceServerClient(f"{running.host}:{running.port}") as connection:
        yield connection


@pytest.fixture(scope="module")
def openapi(running: Running) -> OpenInferenceClient:
    return OpenInferenceClient(base_url=running.url)


def tensor(name: str, array: np.ndarray, datatype: str, *, binary: bool = True) -> Any:
    given = triton.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array, binary_data=binary)
    return given


def people(*, binary: bool) -> list[Any]:
    """`PEOPLE` column by column."""
    datatypes = {"age": "FP64", "work": "BYTES", "hours": "FP64", "sex": "BOOL"}
    kinds = {"FP64": np.float64, "BYTES": object, "BOOL": np.bool_}
    return [
        tensor(name, np.array([[row[place]] for row in PEOPLE], kinds[datatype]), datatype, binary=binary)
        for place, (name, datatype) in enumerate(datatypes.items())
    ]


# -- what the server says of itself and its models


def test_triton_finds_server_and_models_alive(server: Any, flowers: Model) -> None:
    assert server.is_server_live() and server.is_server_ready()
    assert server.is_model_ready("oip-flowers") and server.is_model_ready("oip-flowers", "1")
    assert not server.is_model_ready("oip-nothing")
    assert "binary_tensor_data" in server.get_server_metadata()["extensions"]
    assert {
        "name": "oip-flowers",
        "version": "1",
        "state": "READY",
        "reason": "",
    } in server.get_model_repository_index()


def test_health_says_ready_and_live(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True, "live": True}


def test_metadata_names_a_matrix_or_the_columns(server: Any, flowers: Model, progression: Model, adults: Model) -> None:
    about = server.get_model_metadata("oip-flowers")
    assert about["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 4]}]
    assert about["outputs"] == [
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
    ]
    assert about["versions"] == ["1"]
    outputs = server.get_model_metadata("oip-progression", "1")["outputs"]
    assert outputs == [{"name": "value", "datatype": "FP32", "shape": [-1, 1]}]
    inputs = {one["name"]: one["datatype"] for one in server.get_model_metadata("oip-adults")["inputs"]}
    assert inputs == {"age": "FP64", "work": "BYTES", "hours": "FP64", "sex": "BOOL"}
    assert server.get_model_metadata("oip-adults")["outputs"][0] == {
        "name": "label",
        "datatype": "BYTES",
        "shape": [-1],
    }


# -- inference


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("answered", [True, False])
def test_triton_gets_the_bits_that_the_engine_has(server: Any, flowers: Model, binary: bool, answered: bool) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=answered) for name in ("probabilities", "label")]
    result = server.infer(
        "oip-flowers", [tensor("input", FLOWERS, "FP32", binary=binary)], outputs=outputs, request_id="seven"
    )
    expected = flowers.answers(flowers.inputs(FLOWERS))
    assert (result.as_numpy("probabilities") == expected).all()
    assert result.as_numpy("label").tolist() == [said["label"] for said in flowers.predict(FLOWERS)]
    assert result.get_response()["id"] == "seven" and result.get_response()["model_version"] == "1"


@pytest.mark.parametrize("binary", [True, False])
def test_triton_gets_values_and_mixed_columns(server: Any, progression: Model, adults: Model, binary: bool) -> None:
    x = np.random.default_rng(0).standard_normal((5, 10)).astype(np.float32)
    result = server.infer("oip-progression", [tensor("input", x, "FP32", binary=binary)])
    assert (result.as_numpy("value") == progression.answers(progression.inputs(x))).all()
    result = server.infer("oip-adults", people(binary=binary))
    assert (result.as_numpy("probabilities") == adults.answers(adults.inputs(PEOPLE))).all()
    labels = [text.decode() for text in result.as_numpy("label")]
    assert labels == [said["label"] for said in adults.predict(PEOPLE)]


def test_a_missing_number_is_nan_or_null(server: Any, client: httpx.Client, adults: Model) -> None:
    inputs = people(binary=True)
    inputs[2] = tensor("hours", np.array([[40.0], [np.nan], [3.0]]), "FP64")
    rows = [PEOPLE[0], [28.5, None, None, False], PEOPLE[2]]
    expected = adults.answers(adults.inputs(rows))
    assert (server.infer("oip-adults", inputs).as_numpy("probabilities") == expected).all()
    document = {
        "inputs": [
            {"name": "age", "shape": [3], "datatype": "FP64", "data": [39, 28.5, 61]},
            {"name": "work", "shape": [3], "datatype": "BYTES", "data": ["State-gov", None, "Never-seen"]},
            {"name": "hours", "shape": [3, 1], "datatype": "FP64", "data": [[40], [None], [3]]},
            {"name": "sex", "shape": [3], "datatype": "BOOL", "data": [True, False, False]},
        ]
    }
    outputs = client.post("/v2/models/oip-adults/infer", json=document).json()["outputs"]
    assert np.float32(outputs[1]["data"]).reshape(3, 2).tolist() == expected.tolist()


def test_columns_of_numbers_may_come_one_by_one(server: Any, flowers: Model) -> None:
    names = list(flowers.preprocessor.shapes)
    inputs = [tensor(name, FLOWERS[:, place].astype(np.float64), "FP64") for place, name in enumerate(names)]
    assert (
        server.infer("oip-flowers", inputs).as_numpy("probabilities") == flowers.answers(flowers.inputs(FLOWERS))
    ).all()


@pytest.mark.parametrize("datatype", ["INT8", "UINT8", "INT32", "INT64", "FP16", "FP64"])
def test_every_kind_of_number_goes_in(server: Any, flowers: Model, datatype: str) -> None:
    kind = {"FP16": np.float16, "FP64": np.float64}.get(datatype) or np.dtype(datatype.lower())
    x = np.array([[5, 3, 1, 0], [7, 3, 5, 2]], kind)
    binary = server.infer("oip-flowers", [tensor("input", x, datatype)]).as_numpy("probabilities")
    assert (binary == flowers.answers(flowers.inputs(x.astype(np.float64)))).all()


def test_classification_ranks_the_labels(server: Any, adults: Model, flowers: Model) -> None:
    outputs = [triton.InferRequestedOutput("probabilities", class_count=2)]
    result = server.infer("oip-flowers", [tensor("input", FLOWERS, "FP32")], outputs=outputs).as_numpy("probabilities")
    probabilities = flowers.answers(flowers.inputs(FLOWERS))
    for row, texts in zip(probabilities, result, strict=True):
        places = np.argsort(-row)[:2]
        assert [text.decode() for text in texts] == [f"{row[place]:f}:{place}:{place}" for place in places]
    assert result.shape == (3, 2)
    best = server.infer("oip-adults", people(binary=True), outputs=outputs).as_numpy("probabilities")[0, 0].decode()
    assert best.split(":")[2] == adults.predict(PEOPLE)[0]["label"]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_travel_compressed(server: Any, flowers: Model, coding: str) -> None:
    x = np.tile(FLOWERS, (200, 1))
    result = server.infer(
        "oip-flowers", [tensor("input", x, "FP32")],
        request_compression_algorithm=coding, response_compression_algorithm=coding,
    )  # fmt: skip
    assert (result.as_numpy("probabilities") == flowers.answers(flowers.inputs(x))).all()


def test_an_answer_is_compressed_only_if_asked(client: httpx.Client, flowers: Model) -> None:
    x = np.tile(FLOWERS, (200, 1))
    document = {"inputs": [{"name": "input", "shape": [600, 4], "datatype": "FP32", "data": x.ravel().tolist()}]}
    for asked, coding in (("identity", None), ("gzip;q=0", None), ("deflate, gzip;q=0.5", "deflate"), ("*", "gzip")):
        answer = client.post("/v2/models/oip-flowers/infer", json=document, headers={"Accept-Encoding": asked})
        assert answer.headers.get("content-encoding") == coding
        assert answer.json()["outputs"][1]["shape"] == [600, 3]


def test_the_working_groups_client_is_understood(openapi: OpenInferenceClient, flowers: Model, adults: Model) -> None:
    openapi.check_server_liveness()
    openapi.check_server_readiness()
    openapi.check_model_readiness("oip-flowers")
    openapi.check_model_version_readiness("oip-flowers", "1")
    assert openapi.read_server_metadata().name == "trainshed"
    assert openapi.read_model_metadata("oip-flowers").inputs[0].shape == [-1, 4]
    assert openapi.read_model_version_metadata("oip-adults", "1").inputs[1].datatype == "BYTES"
    nested = RequestInput(name="input", shape=[3, 4], datatype="FP32", data=FLOWERS.astype(float).tolist())
    answer = openapi.model_infer("oip-flowers", request=InferenceRequest(inputs=[nested]))
    got = np.array(answer.outputs[1].data.__root__, np.float32).reshape(3, 3)
    assert (got == flowers.answers(flowers.inputs(FLOWERS))).all()
    columns = [
        RequestInput(name=name, shape=[3], datatype=datatype, data=[row[place] for row in PEOPLE])
        for place, (name, datatype) in enumerate(
            [("age", "FP64"), ("work", "BYTES"), ("hours", "FP64"), ("sex", "BOOL")]
        )
    ]
    answer = openapi.model_version_infer("oip-adults", "1", request=InferenceRequest(inputs=columns))
    assert answer.outputs[0].data.__root__ == [said["label"] for said in adults.predict(PEOPLE)]
    with pytest.raises(ApiError):
        openapi.model_infer("oip-nothing", request=InferenceRequest(inputs=columns))


def test_a_version_may_be_named_by_an_alias(client: httpx.Client, server: Any, flowers: Model) -> None:
    client.put("/v1/models/oip-flowers/aliases/production", json={"version": 1}).raise_for_status()
    result = server.infer("oip-flowers", [tensor("input", FLOWERS, "FP32")], model_version="production")
    assert result.get_response()["model_version"] == "1"


# -- what is refused


def infer(client: httpx.Client, document: object, **headers: str) -> httpx.Response:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post("/v2/models/oip-flowers/infer", content=content, headers=headers)


def one(**fields: object) -> dict[str, object]:
    return {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4], **fields}]}


@pytest.mark.parametrize(
    ("document", "pointer", "says"),
    [
        (b"", "", "not JSON"),
        (b'{"inputs": [NaN]}', "/inputs/0", "NaN"),
        (b'{"id": "a", "id": "b", "inputs": []}', "/id", "more than once"),
        ({}, "/inputs", "required"),
        ({"inputs": []}, "/inputs", "at least 1"),
        (one(datatype="BF16"), "/inputs/0/datatype", "FP32"),
        (one(datatype="FLOAT"), "/inputs/0/datatype", "FP32"),
        (one(shape=[1, 5]), "/inputs/0/data", "4 values"),
        (one(shape=[2, 2]), "/inputs/0/shape", "[rows, 4]"),
        (one(shape=[-1, 4]), "/inputs/0/shape/0", "greater"),
        (one(data=[[1, 2], [3, 4, 5]]), "/inputs/0/data", "not nested"),
        (one(data=["a", "b", "c", "d"]), "/inputs/0/data", "text"),
        (one(datatype="INT8", data=[1, 2, 3, 400]), "/inputs/0/data", "beyond INT8"),
        (one(datatype="INT8", data=[1, 2, 3, 0.5]), "/inputs/0/data", "fractions"),
        (one(datatype="BYTES", data=["a", "b", "c", "d"]), "/inputs/0/datatype", "numbers"),
        (one(name="sepal length (cm)", shape=[4]), "/inputs/0/shape", "[rows, 4]"),
        (one(data=None), "/inputs/0/data", "missing"),
        (one(data=None, parameters={"binary_data_size": 16}), "/inputs/0/parameters/binary_data_size", "0 bytes"),
        ({**one(), "outputs": [{"name": "lable"}]}, "/outputs/0/name", "label"),
        (
            {**one(), "outputs": [{"name": "label", "parameters": {"classification": 2}}]},
            "/outputs/0/parameters/classification",
            "probabilities",
        ),
    ],
)
def test_a_bad_request_is_refused_where_it_is_bad(
    client: httpx.Client, flowers: Model, document: object, pointer: str, says: str
) -> None:
    answer = infer(client, document)
    assert answer.status_code in (400, 422), answer.text
    problem = answer.json()
    assert isinstance(problem["error"], str) and problem["error"] == problem["detail"] and says in problem["error"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert not pointer or problem["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("length", "tail", "says"),
    [
        ("many", b"", "number of bytes"),
        ("99999", b"", "the body has"),
        (None, b"\0" * 12, "12 bytes of the body are left"),
        (None, b"\0" * 20, "4 bytes follow"),
    ],
)
def test_bytes_that_do_not_add_up_are_refused(
    client: httpx.Client, flowers: Model, length: str | None, tail: bytes, says: str
) -> None:
    head = json.dumps(one(data=None, parameters={"binary_data_size": 16})).encode()
    answer = infer(client, head + tail, **{"Inference-Header-Content-Length": length or str(len(head))})
    assert answer.status_code == 400 and says in answer.json()["error"]


@pytest.mark.parametrize("text", [b"\x05\0\0\0abc", b"\x01\0", b"\x01\0\0\0\xff", struct.pack("<I", 2**31)])
def test_text_that_does_not_add_up_is_refused(client: httpx.Client, adults: Model, text: bytes) -> None:
    column = {"name": "work", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(text)}}
    head = json.dumps({"inputs": [column]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post("/v2/models/oip-adults/infer", content=head + text, headers=headers)
    assert answer.status_code == 400 and "text 0" in answer.json()["error"]


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("br", b"{}", 415),
        ("gzip", b"{}", 400),
        ("gzip", gzip.compress(b"{}")[:-4], 400),
        ("gzip", gzip.compress(b"{}") + b"more", 400),
        ("deflate", zlib.compress(json.dumps(one()).encode()), 200),
        ("deflate", zlib.compress(json.dumps(one()).encode(), wbits=-15), 200),
        ("gzip", gzip.compress(b" " * 100_000_000), 413),
    ],
    ids=["unknown", "none", "cut", "longer", "zlib", "raw", "bomb"],
)
def test_a_compressed_body_is_expanded_within_a_limit(
    client: httpx.Client, flowers: Model, coding: str, body: bytes, status: int
) -> None:
    answer = infer(client, body, **{"Content-Encoding": coding})
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["error"]


def test_triton_reports_the_reason(server: Any, flowers: Model) -> None:
    with pytest.raises(InferenceServerException, match=r"\[rows, 4\]"):
        server.infer("oip-flowers", [tensor("input", FLOWERS[:, :3].copy(), "FP32")])
    with pytest.raises(InferenceServerException, match="oip-nothing"):
        server.infer("oip-nothing", [tensor("input", FLOWERS, "FP32")])
