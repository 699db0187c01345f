"""Bodies travel compressed both ways, on every route, and a small one never becomes a large one in memory."""

import gzip
import json
import os
import zlib
from collections.abc import Callable

import httpx
import pytest

from service.http.content_coding import LARGEST, Damaged, Decoder, chosen
from tests.service.endpoints import CHANGING, Endpoint
from tests.service.shape import assert_problem
from tests.service.stored import Snapshot
from tests.service.work import Work
from worker.settings import Settings

SPEC = json.dumps({"data": {"train": "iris", "target": "label"}}).encode()
ZIPPED = gzip.compress(SPEC, mtime=0)  # processes that run tests name them alike
TABLE = b"a,b\n1,2\n3,4\n5,6\n"
GZIP = {"Content-Encoding": "gzip"}
CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


def bare(body: bytes) -> bytes:
    """Deflate without the two bytes that zlib has before it: some clients call that deflate, too."""
    return zlib.compress(body, wbits=-15)


# requests


@pytest.mark.parametrize("coding", CODERS)
def test_a_spec_and_a_table_are_read_in_every_coding(client: httpx.Client, coding: str) -> None:
    compress = CODERS[coding]
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    validated = client.post("/v1/jobs?validate_only=true", content=compress(SPEC), headers=headers)
    assert validated.status_code == 200, validated.text
    assert client.post("/v1/jobs", content=compress(SPEC), headers=headers).status_code == 201
    headers["Content-Type"] = "text/csv"
    path = f"/v1/datasets?name=coded-{coding}"
    stored = client.post(path, content=compress(TABLE), headers=headers)
    assert (stored.status_code, stored.json()["summary"]["rows"]) == (201, {"all": 3})
    assert client.post(path, content=TABLE, headers={"Content-Type": "text/csv"}).status_code == 200  # the same


def test_a_form_is_read_compressed_too(client: httpx.Client) -> None:
    request = client.build_request("POST", "/v1/datasets?name=coded-form", files={"file": ("a.csv", TABLE, "text/csv")})
    headers = {"Content-Type": request.headers["content-type"], **GZIP}
    answer = client.post("/v1/datasets?name=coded-form", content=gzip.compress(request.read()), headers=headers)
    assert answer.status_code == 201, answer.text


def test_a_request_sent_again_is_known_in_another_coding(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "coded"}
    first = client.post("/v1/jobs", content=SPEC, headers=headers)
    second = client.post("/v1/jobs", content=gzip.compress(SPEC), headers={**headers, **GZIP})
    assert second.headers["idempotent-replay"] == "true" and second.content == first.content


@pytest.mark.parametrize("endpoint", CHANGING, ids=str)
def test_an_unknown_coding_is_refused_on_every_endpoint(client: httpx.Client, endpoint: Endpoint) -> None:
    for coding in ("br", "zstd", "gzip, gzip", "compress"):
        answer = client.request(endpoint.method, endpoint.path, content=b"x", headers={"Content-Encoding": coding})
        assert answer.status_code == 415 and answer.json()["code"] == "unsupported_content_encoding"
        assert repr(coding) in answer.json()["detail"]
        assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{}", "incorrect header"),
        (ZIPPED[:-4], "ends too early"),
        (ZIPPED + b"more", "4 bytes follow"),
        (ZIPPED[:-8] + b"\0" * 8, "incorrect data check"),
    ],
)
@pytest.mark.parametrize(("path", "kind"), [("/v1/jobs", "application/json"), ("/v1/datasets?name=torn", "text/csv")])
def test_a_damaged_body_is_refused(
    client: httpx.Client, stored: Snapshot, path: str, kind: str, body: bytes, why: str
) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": kind, **GZIP})
    problem = assert_problem(answer, 400)
    assert problem["code"] == "malformed_body" and why in problem["detail"]
    assert stored() == stored.before


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_meets_the_limit_of_its_route(
    client: httpx.Client, stored: Snapshot, settings: Settings, coding: str
) -> None:
    bomb = CODERS[coding](b" " * 64 * 1024 * 1024)
    for path, kind, limit in (
        ("/v1/jobs", "application/json", settings.max_body_bytes),
        ("/v1/datasets?name=bomb", "text/csv", settings.max_upload_bytes),
    ):
        headers = {"Content-Type": kind, "Content-Encoding": coding}
        problem = assert_problem(client.post(path, content=bomb, headers=headers), 413)
        assert str(limit) in problem["detail"]
    assert stored() == stored.before


def test_a_decoder_holds_a_piece_of_what_a_body_becomes() -> None:
    bomb = gzip.compress(bytes(256 * 1024 * 1024))
    decoder, size = Decoder("gzip"), 0
    for start in range(0, len(bomb), 65536):
        decoder.feed(bomb[start : start + 65536])
        while not decoder.hungry:
            piece = decoder.piece()
            assert len(piece) <= LARGEST
            size += len(piece)
    decoder.finish()
    assert size == 256 * 1024 * 1024


@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "bare", "members"])
def test_pieces_of_any_size_become_the_body(coding: str, step: int) -> None:
    body = os.urandom(3000) + b"again" * 100_000
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "bare": bare(body),
        "members": gzip.compress(body[:1000]) + gzip.compress(b"") + gzip.compress(body[1000:]),
    }[coding]
    decoder, pieces = Decoder("gzip" if coding in ("gzip", "members") else "deflate"), []
    for start in range(0, len(packed), step):
        decoder.feed(packed[start : start + step])
        while not decoder.hungry:
            pieces.append(decoder.piece())
    decoder.finish()
    assert b"".join(pieces) == body


def test_a_body_that_becomes_less_than_it_is_ends() -> None:
    decoder, empty = Decoder("gzip"), gzip.compress(b"")
    with pytest.raises(Damaged, match="become 0"):
        for _ in range(10_000):
            decoder.feed(empty)
            while not decoder.hungry:
                decoder.piece()


# answers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip;q=0.5", "deflate"),
        ("*", "gzip"),
        ("*;q=0.1, gzip;q=0", "deflate"),
        ("gzip;q=0", None),
        ("identity", None),
        ("br", None),
        ("", None),
        ("gzip;q=rubbish", None),
    ],
)
def test_a_client_is_given_what_it_prefers(client: httpx.Client, accepted: str, coding: str | None) -> None:
    assert chosen(accepted.encode()) == coding
    plain = client.get("/v1/presets", headers={"Accept-Encoding": "identity"})
    answer = client.get("/v1/presets", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.content == plain.content and "Accept-Encoding" in answer.headers["vary"]
    if coding is not None:
        assert int(answer.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    # One tag for all of them, a weak one: it does not stand for the bytes.
    assert answer.headers["etag"] == plain.headers["etag"] and answer.headers["etag"].startswith("W/")
    held = {"Accept-Encoding": accepted, "If-None-Match": answer.headers["etag"]}
    assert client.get("/v1/presets", headers=held).status_code == 304


def test_the_short_ways_compress_as_well(client: httpx.Client, train: Callable[..., str]) -> None:
    client.post("/v1/models/coded/versions", json={"job": train()}).raise_for_status()
    for rows, coding in ((1, None), (200, "gzip")):
        body = {"rows": [[5.1, 3.5, 1.4, 0.2]] * rows}
        answers = [client.post("/v1/models/coded/predict", json=body) for _ in range(2)]  # the second by the short way
        for answer in answers:
            assert answer.headers.get("content-encoding") == coding
        assert answers[0].content == answers[1].content
    assert client.get("/v1/jobs?limit=5").headers["content-encoding"] == "gzip"


def test_what_is_small_or_comes_as_it_happens_or_in_ranges_goes_as_it_is(
    client: httpx.Client, train: Callable[..., str]
) -> None:
    job = train()
    client.post("/v1/models/as-it-is/versions", json={"job": job}).raise_for_status()
    for path in (
        "/health/live",
        f"/v1/jobs/{job}/stream",
        "/v1/models/as-it-is/versions/1/artifact",
        "/docs/assets/swagger-ui.css",
    ):
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200 and "content-encoding" not in answer.headers, path


def test_csv_that_is_written_as_it_goes_is_compressed_as_it_goes(
    client: httpx.Client, job: Callable[..., str], work: Work
) -> None:
    job_id = job()
    work.record(work.claim(job_id), [{"epoch": epoch, "train_cost": 1 / epoch} for epoch in range(1, 3001)])
    path, query = f"/v1/jobs/{job_id}/metrics", {"format": "csv"}
    plain = client.get(path, params=query, headers={"Accept-Encoding": "identity"})
    packed = client.get(path, params=query, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.content == plain.content and len(plain.content) > 50_000
