"""A file is sent whole, in part, or not at all to who has it; a range that cannot be is a problem."""

from collections.abc import Callable
from email import message_from_bytes
from hashlib import sha256

import httpx
import pytest

from tests.service.contract import Contract
from tests.service.shape import assert_problem
from tests.until import until
from worker.settings import Settings

FORMATS = ("safetensors", "npz", "onnx")


@pytest.fixture(scope="module")
def version(client: httpx.Client, train: Callable[..., str]) -> str:
    """The path of a version's file."""
    answer = client.post("/v1/models/to-download/versions", json={"job": train()})
    assert answer.status_code == 201, answer.text
    return "/v1/models/to-download/versions/1/artifact"


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_known_by_its_content(client: httpx.Client, version: str, form: str) -> None:
    whole = client.get(version, params={"format": form})
    tag = whole.headers["etag"]
    assert tag == f'"{sha256(whole.content).hexdigest()}"' and whole.headers["accept-ranges"] == "bytes"
    again = client.get(version, params={"format": form}, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = client.get(version, params={"format": form}, headers={"If-None-Match": '"other"', "Range": "bytes=0-3"})
    assert (other.status_code, other.content) == (206, whole.content[:4])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=10-99", slice(10, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-99999999999", slice(5, None)),
        ("Bytes = 2-3", slice(2, 4)),
    ],
)
def test_a_part_is_that_of_the_whole(client: httpx.Client, version: str, form: str, asked: str, part: slice) -> None:
    whole = client.get(version, params={"format": form})
    answer = client.get(version, params={"format": form}, headers={"Range": asked, "If-Range": whole.headers["etag"]})
    start, end, _ = part.indices(len(whole.content))
    assert (answer.status_code, answer.content) == (206, whole.content[part])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole.content)}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["trainshed-model"] == "to-download@1"


def test_several_parts_come_as_one_message_in_parts(client: httpx.Client, version: str) -> None:
    whole = client.get(version).content
    answer = client.get(version, headers={"Range": "bytes=0-9,20-29"})
    assert answer.status_code == 206
    kind = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n"
    parts = message_from_bytes(kind + answer.content).get_payload()
    assert [part["content-range"] for part in parts] == [f"bytes {at}-{at + 9}/{len(whole)}" for at in (0, 20)]


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "items=0-3"},  # another unit is to be ignored
        {"Range": "nonsense"},
        {"Range": "bytes=0-3", "If-Range": '"other"'},
    ],
)
def test_what_asks_for_no_part_of_this_file_is_sent_all_of_it(
    client: httpx.Client, version: str, headers: dict[str, str]
) -> None:
    answer = client.get(version, headers=headers)
    assert (answer.status_code, answer.content) == (200, client.get(version).content)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("asked", ["bytes=abc", "bytes=", "bytes=-", "bytes=5-2", "bytes=1;2", "bytes=" + "9" * 5000])
def test_a_range_that_cannot_be_read_is_a_problem(
    client: httpx.Client, version: str, settings: Settings, form: str, asked: str
) -> None:
    problem = assert_problem(client.get(version, params={"format": form}, headers={"Range": asked}), 400)
    assert problem["code"] == "malformed_range" and "bytes=0-1023" in problem["detail"]
    until(lambda: not list((settings.data_dir / "unfinished").glob("*")))  # what was made for the answer is gone


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=99999999-100000000"])
def test_a_range_behind_the_end_is_a_problem_that_says_where_that_is(
    client: httpx.Client, version: str, asked: str
) -> None:
    size = len(client.get(version).content)
    answer = client.get(version, headers={"Range": asked})
    problem = assert_problem(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{size}"
    assert problem["code"] == "range_not_satisfiable" and f"{size} bytes" in problem["detail"]


def test_every_download_documents_its_parts(contract: Contract) -> None:
    found = [one for _, _, one in contract.operations() if one["operationId"].startswith("download_")]
    assert len(found) >= 3
    for operation in found:
        assert {"200", "206", "304", "400", "416"} <= operation["responses"].keys()
        assert {"Range", "If-None-Match"} <= {parameter["name"] for parameter in operation["parameters"]}
        assert "Content-Range" in operation["responses"]["206"]["headers"]


def test_whatever_writes_documents_a_full_disk(contract: Contract) -> None:
    reading = ("predict_", "infer_", "explain_", "list_")
    making = ("download_model", "download_version")  # a file of another format
    for method, path, operation in contract.operations():
        name = operation["operationId"]
        if name in making or (method != "GET" and not name.startswith(reading)):
            assert "507" in operation["responses"], (method, path)
