"""Files come in forms as they come raw, whatever makes the form and in whatever pieces it arrives."""

import io
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx
import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.data.formats.formats import FORMATS
from service.http.forms import MOST_FIELD, FormHash, FormReader
from service.http.problems import RequestRefused
from service.routes.datasets import TABLES
from service.routes.parameters import TENSORS
from tests.service.bad_uploads import npz
from tests.service.contract import Contract
from tests.service.running import Running
from tests.service.shape import assert_problem
from tests.service.stored import Snapshot
from tests.service.test_uploads_refused import until
from trainshed.client.media_types import MEDIA_TYPES
from worker.settings import Settings

CSV = b"x1,x2,label\r\n1,2,a\r\n3,4,b\r\n5,6,a\r\n"
ALLOWED = ["name", "size"]


def form(file: bytes, boundary: str = "xX-30", **fields: str) -> bytes:
    """A form as httpx writes it, the file first or last."""
    head = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return httpx.Request("POST", "http://x", headers=head, data=fields, files={"file": ("f.csv", file)}).read()


def pieces(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    """The body, cut at these places."""
    places = sorted({cut % (len(body) + 1) for cut in cuts} | {0, len(body)})
    for start, end in pairwise(places):
        yield body[start:end]
    yield b""


def read(body: bytes, cuts: list[int]) -> tuple[bytes, dict[str, str]]:
    reader = FormReader("multipart/form-data; boundary=xX-30", ALLOWED)
    file = b"".join(part for piece in pieces(body, cuts) for part in reader.read(piece))
    reader.chosen()
    return file, reader.fields


CONTENT = st.one_of(
    st.binary(max_size=300),
    # What looks like the end of a part, and is none.
    st.lists(st.sampled_from([b"\r\n", b"--", b"xX-30", b"\r\n--xX-3", b"\r", b"\n", b"a"])).map(b"".join),
).filter(lambda content: b"\r\n--xX-30" not in b"\r\n" + content)
CUTS = st.lists(st.integers(0, 2000), max_size=40)


@given(CONTENT, st.text(max_size=20), CUTS)
@example(b"\r\n--xX-3", "", list(range(400)))
def test_a_form_is_read_alike_in_whatever_pieces_it_comes(content: bytes, name: str, cuts: list[int]) -> None:
    assert read(form(content, name=name), cuts) == (content, {"name": name})


@given(st.integers(0, 2000), CUTS)
def test_a_form_that_is_cut_short_is_refused(length: int, cuts: list[int]) -> None:
    body = form(CSV, name="x")
    whole = body.rindex(b"--xX-30--") + len(b"--xX-30--")
    with pytest.raises(RequestRefused) as refusal:
        read(body[: length % whole], cuts)
    assert refusal.value.status_code == 400


@given(CONTENT, CUTS, CUTS)
def test_the_hash_of_a_form_knows_neither_its_boundary_nor_its_pieces(
    content: bytes, cuts: list[int], others: list[int]
) -> None:
    def hashed(body: bytes, boundary: str, cuts: list[int]) -> str:
        found = FormHash(b"?", boundary)
        for piece in pieces(body, cuts):
            found.update(piece)
        return found.hexdigest()

    mine = hashed(form(content, name="x"), "xX-30", cuts)
    assert mine == hashed(form(content, "another-boundary-of-60", name="x"), "another-boundary-of-60", others)
    assert mine != hashed(form(content + b"\r", name="x"), "xX-30", cuts)
    assert mine != hashed(form(content, name="y"), "xX-30", cuts)


def upload(client: httpx.Client, file: Any, path: str = "/v1/datasets", **options: Any) -> httpx.Response:
    return client.post(path, files={"file": file}, **options)


def test_a_dataset_is_uploaded_as_a_form_and_is_the_one_of_a_raw_upload(client: httpx.Client) -> None:
    query = {"name": "of-a-form"}
    answer = upload(client, ("data.csv", CSV), params=query)
    assert answer.status_code == 201, answer.text
    assert client.get(answer.headers["location"]).json() == answer.json()
    raw = client.post("/v1/datasets", params=query, content=CSV, headers={"Content-Type": "text/csv"})
    assert (raw.status_code, raw.json()) == (200, answer.json())
    field = upload(client, ("data.csv", CSV), data=query)
    assert (field.status_code, field.json()) == (200, answer.json())


BROWSER = (  # as Chromium writes it: the file first, its field's name not ours, quotes percent-encoded
    b"------WebKitFormBoundaryA1\r\n"
    b'Content-Disposition: form-data; name="upload"; filename="my %22data%22.csv"\r\n'
    b"Content-Type: application/vnd.ms-excel\r\n\r\n" + CSV + b"\r\n"
    b"------WebKitFormBoundaryA1\r\n"
    b'Content-Disposition: form-data; name="name"\r\n\r\nof-a-browser\r\n'
    b"------WebKitFormBoundaryA1--\r\n"
)


def test_a_browsers_form_is_understood(client: httpx.Client) -> None:
    head = {"Content-Type": "multipart/form-data; boundary=----WebKitFormBoundaryA1"}
    answer = client.post("/v1/datasets", content=BROWSER, headers=head)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["name"], answer.json()["media_type"], answer.json()["rows"]) == (
        "of-a-browser",
        "text/csv",
        3,
    )


@pytest.mark.parametrize(
    ("file", "media_type"),
    [
        (("t.tsv", CSV.replace(b",", b"\t"), ""), "text/tab-separated-values"),
        (("t.JSON", b'[{"a": 1, "b": 2}, {"a": 3, "b": 5}]', "application/octet-stream"), "application/json"),
        (("t.jsonl", b'{"a": 1, "b": 2}\n{"a": 3, "b": 5}\n', "text/plain"), "application/json"),
        (("no ending", CSV, "text/csv; charset=utf-8"), "text/csv"),
        (("t.npz", npz(x=[[1.0], [2.0]], y=[0, 1])), "application/x-npz"),
        (("a lie.npz", CSV, "text/csv"), "text/csv"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_part_says_what_it_is_or_its_name_does(client: httpx.Client, file: Any, media_type: str) -> None:
    name = "".join(letter for letter in file[0] if letter.isalnum())
    answer = upload(client, file, data={"name": f"part-{name}"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["media_type"] == media_type


def test_parameters_are_uploaded_as_a_form(client: httpx.Client) -> None:
    tensors = npz(W1=[[1.0, 2.0]], b1=[[0.0, 0.0]])
    answer = upload(client, ("w.npz", tensors), "/v1/parameters", data={"name": "of-a-form", "layout": "native"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["tensors"] == {"W1": [1, 2], "b1": [1, 2]}


Bad = tuple[dict[str, Any], int, str | None, str]
SAID = {"name": "bad"}
FILE = ("data.csv", CSV)
BAD: dict[str, Bad] = {
    "no file": ({"files": {"name": (None, "bad")}}, 422, "/file", "-F file=@"),
    "no file chosen": ({"files": {"file": ("", b"", "application/octet-stream")}, "data": SAID}, 422, "/file", ""),
    "two files": ({"files": {"file": FILE, "more": FILE}, "data": SAID}, 422, "/more", "second"),
    "an unknown field": ({"files": {"file": FILE}, "data": {"nmae": "bad"}}, 422, "/nmae", "'name'"),
    "a name twice": ({"files": {"file": FILE}, "data": {"name": ["bad", "worse"]}}, 422, "/name", "worse"),
    "another in the query": ({"files": {"file": FILE}, "data": SAID, "params": {"name": "b"}}, 422, "/name", "bad"),
    "a bad name": ({"files": {"file": FILE}, "data": {"name": "_"}}, 422, "/name", "begins"),
    "a bad size": ({"files": {"file": FILE}, "data": {**SAID, "size": "big"}}, 422, "/size", "pattern"),
    "a long field": ({"files": {"file": FILE}, "data": {"name": "x" * (MOST_FIELD + 1)}}, 422, "/name", "longer"),
    "no UTF-8": ({"files": {"file": FILE, "name": (None, b"\xff")}}, 422, "/name", "UTF-8"),
    "an unknown ending": ({"files": {"file": ("d.bin", CSV)}, "data": SAID}, 415, None, ".parquet"),
    "XML": ({"files": {"file": ("d.csv", CSV, "text/xml")}, "data": SAID}, 415, None, "type=text/csv"),
    "bad content": ({"files": {"file": ("d.csv", b"a,b\n1\n")}, "data": SAID}, 422, None, "line 2"),
    "too large": ({"files": {"file": ("d.csv", b"1\n" * 2**20 + b"1")}, "data": SAID}, 413, None, "2097152"),
    "no boundary": ({"content": CSV, "headers": {"Content-Type": "multipart/form-data"}}, 400, None, "boundary"),
    "a boundary that is not there": (
        {"content": CSV, "headers": {"Content-Type": "multipart/form-data; boundary=y"}},
        *(400, None, "boundary"),
    ),
    "many parts": (
        {"files": [("name", (None, "bad"))] * 40 + [("file", FILE)]},
        *(400, None, "more than a form"),
    ),
    "nothing": ({"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=y"}}, 400, None, ""),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_form_is_refused_and_leaves_nothing(client: httpx.Client, stored: Snapshot, bad: Bad) -> None:
    request, status, pointer, says = bad
    problem = assert_problem(client.post("/v1/datasets", **request), status)
    assert [(error["pointer"], error["in"]) for error in problem["errors"]] == ([(pointer, "body")] if pointer else [])
    assert says in problem["detail"]
    assert stored() == stored.before


HEAD = b"--y\r\nContent-Disposition: form-data; "


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (HEAD + b'name="file"; filename="d.csv"\r\n\r\n', 413),
        (HEAD + b'name="name"\r\n\r\n', 422),
        (HEAD + b'name="file"; filename="d.csv"\r\n\r\na,b\n1,2\n\r\n--y--\r\n', 413),
        (b"", 413),
        (HEAD, 400),
    ],
    ids=["of the file", "of a field", "behind the form", "before the form", "of a head"],
)
def test_a_form_without_a_length_is_limited_while_it_arrives(
    client: httpx.Client, stored: Snapshot, start: bytes, status: int
) -> None:
    def endless() -> Iterator[bytes]:
        yield start
        for _ in range(100):
            yield b"1,2\n" * 16_384

    head = {"Content-Type": "multipart/form-data; boundary=y"}
    assert_problem(client.post("/v1/datasets?name=endless", content=endless(), headers=head), status)
    assert stored() == stored.before


def test_a_form_of_the_largest_file_is_taken(client: httpx.Client) -> None:
    """The limit is the file's, and not the form's."""
    file = b"a,b\n" + b"1,2\n" * (2 * 1024 * 1024 // 4 - 1)
    assert len(file) == 2 * 1024 * 1024
    answer = upload(client, ("large.csv", file), data={"name": "largest"})
    assert (answer.status_code, answer.json()["bytes"]) == (201, len(file))


def test_a_form_that_breaks_off_leaves_nothing(running: Running, stored: Snapshot) -> None:
    with socket.create_connection((running.host, running.port)) as connection:
        connection.sendall(
            b"POST /v1/datasets?name=half HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=y\r\n"
            b'Content-Length: 1000\r\n\r\n--y\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na'
        )
        until(lambda: running.server.server_state.tasks)  # it has begun
    until(lambda: not running.server.server_state.tasks)
    assert stored() == stored.before


def test_a_form_sent_again_with_its_key_is_answered_as_before(client: httpx.Client) -> None:
    """Its boundary is another one: httpx draws it anew, as curl does."""
    key = {"Idempotency-Key": "form-1"}
    first = upload(client, ("data.csv", CSV), data={"name": "keyed"}, headers=key)
    again = upload(client, ("data.csv", CSV), data={"name": "keyed"}, headers=key)
    assert first.request.headers["content-type"] != again.request.headers["content-type"]
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert again.headers["idempotent-replay"] == "true"
    assert_problem(upload(client, ("data.csv", CSV + b"7,8,a\n"), data={"name": "keyed"}, headers=key), 422)


def test_what_curl_says_of_a_raw_body_is_answered_with_what_to_do(
    client: httpx.Client, train: Callable[..., str]
) -> None:
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    detail = assert_problem(client.post("/v1/datasets?name=d", content=CSV, headers=head), 415)["detail"]
    assert "-H 'Content-Type: text/csv'" in detail and "-F file=@data.csv" in detail
    client.post("/v1/models/by-curl/versions", json={"job": train()})
    answer = client.post("/v1/models/by-curl/predict", content=b"{}", headers=head)
    assert "-H 'Content-Type: application/json'" in assert_problem(answer, 415)["detail"]


def test_the_document_describes_the_form(contract: Contract, settings: Settings) -> None:
    paths, schemas = contract.document["paths"], contract.document["components"]["schemas"]
    of_csv = {"header", "delimiter", "encoding", "comment", "escape", "index", "units", "missing"}
    of_datasets = {"name", "size", "mode", "white", "one_hot", "sheet", *of_csv}
    for path, fields in (("/v1/datasets", of_datasets), ("/v1/parameters", {"name", "layout"})):
        content = paths[path]["post"]["requestBody"]["content"]
        described = schemas[content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]]
        assert described["properties"].keys() == {"file"} | fields and described["required"] == ["file"]
        limit = settings.max_upload_bytes
        assert described["properties"]["file"] == {"type": "string", "format": "binary", "maxLength": limit}
        kinds = content["multipart/form-data"]["encoding"]["file"]["contentType"].split(", ")
        assert set(kinds) == set(content) - {"multipart/form-data"}


def test_endings_tell_media_types_and_the_client_knows_the_same() -> None:
    for known in FORMATS:
        assert set(known.endings.values()) <= set(known.media_types)
    assert set(TENSORS.endings.values()) <= set(TENSORS.media_types)
    assert {**TABLES.endings, **TENSORS.endings} == MEDIA_TYPES


def test_a_workbook_is_known_by_its_name_or_by_its_type(client: httpx.Client) -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b"], [1, "x"], [2, "y"]):
        book.active.append(row)
    book.save(content := io.BytesIO())
    for ending in ("xlsx", "XLS", "ods"):
        file = (f"t.{ending}", content.getvalue(), "application/vnd.ms-excel")
        answer = upload(client, file, data={"name": f"book-{ending}", "sheet": "Sheet"})
        assert answer.status_code == 201, answer.text
        assert answer.json()["media_type"].endswith("spreadsheetml.sheet")
    for kind, status in (("application/vnd.ms-excel", 201), ("application/zip", 422), ("text/csv", 422)):
        answer = client.post("/v1/datasets?name=book", content=content.getvalue(), headers={"Content-Type": kind})
        assert answer.status_code == status, answer.text
        assert status == 201 or "-F file=@table.xlsx" in answer.json()["detail"]
