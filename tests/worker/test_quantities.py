"""Numbers as people write them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from worker.quantities import ByteCount, Count, PositiveByteCount, Seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1GB", 1_000_000_000),
        ("1GiB", 1_073_741_824),
        ("512 MB", 512_000_000),
        ("1.5 KiB", 1536),
        ("64k", 64_000),
        ("512Mi", 536_870_912),
        ("268435456", 268_435_456),
        ("268 435 456", 268_435_456),
        ("268\N{NO-BREAK SPACE}435\N{NARROW NO-BREAK SPACE}456", 268_435_456),
        ("268\N{THIN SPACE}435\N{THIN SPACE}456", 268_435_456),
        ("268_435_456", 268_435_456),
        ("1 000 KB", 1_000_000),
        (" 42 ", 42),
    ],
)
def test_bytes_are_read_with_their_unit_and_in_groups(text: str, count: int) -> None:
    assert TypeAdapter(ByteCount).validate_python(text) == count


@pytest.mark.parametrize(
    "text", ["", "much", "12 parsecs", "1,000", "12 34", "1 GB or so", "-1", "1.5.5MB", "MB", "1e9"]
)
def test_what_is_no_number_of_bytes_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="512 MiB"):
        TypeAdapter(ByteCount).validate_python(text)


def test_no_bytes_at_all_are_a_number_only_where_that_is_said() -> None:
    assert TypeAdapter(ByteCount).validate_python("0") == 0
    with pytest.raises(ValidationError):
        TypeAdapter(PositiveByteCount).validate_python("0")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30d", 30 * 86_400),
        ("12h", 12 * 3600),
        ("90m", 90 * 60),
        ("10s", 10),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("30 d", 30 * 86_400),
        ("500ms", 0.5),
        ("0.5", 0.5),
        ("86400", 86_400),
        ("86 400 s", 86_400),
    ],
)
def test_durations_are_read_with_their_units(text: str, seconds: float) -> None:
    assert TypeAdapter(Seconds).validate_python(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "soon", "10 parsecs", "1h30", "1 5s", "inf", "nan", "0", "-5s", "999999999999999d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Seconds).validate_python(text)


def test_counts_are_read_in_groups_of_three() -> None:
    read = TypeAdapter(Count).validate_python
    assert [read(text) for text in ("50 000 000", "50_000_000", "50000000")] == [50_000_000] * 3
    for text in ("5 00", "50,000", "0", "1.5"):
        with pytest.raises(ValidationError):
            read(text)
