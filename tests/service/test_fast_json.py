"""The quick reader accepts nothing that the strict one refuses, and reads the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http import strict_json
from service.http.fast_json import quickly, read
from service.http.problems import RequestRefused

FINITE = st.floats(allow_nan=False, allow_infinity=False)
# What UTF-8 can write; said as `codec`, hypothesis would try every character there is, which takes seconds.
ENCODABLE = st.characters(exclude_categories=("Cs",))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FINITE | st.text(ENCODABLE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(ENCODABLE, max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS, st.booleans())
def test_what_is_read_quickly_is_what_the_strict_reader_reads(document: object, ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    found = quickly(body)
    if found is None:
        return
    strictly, flaws = strict_json.read(body)
    assert not flaws and found == strictly


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:0123456789.eE-+ tfnul\\a', max_size=40).map(str.encode))
def test_what_is_refused_strictly_is_refused(body: bytes) -> None:
    if quickly(body) is not None:
        assert strict_json.read(body)[1] == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"rows": [[1, NaN]]}',
        b'{"rows": [[1, Infinity]]}',
        b'{"rows": [[1, 1e999]]}',
        b'{"rows": [[1, {"a": 1, "a": 2}]]}',
        b'{"rows": [[1, "a"], {"b": "\\u0000"}]}',
        b'{"rows": ["\\ud800"]}',
        b'{"rows": [[1, 2,]]}',
        b'{"rows": [01]}',
        b'{"rows": []} {}',
        b"\xff",
        b"",
    ],
)
def test_every_flaw_is_found(body: bytes) -> None:
    assert quickly(body) is None
    with pytest.raises(RequestRefused):
        read(body)
