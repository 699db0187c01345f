"""Bodies that travel compressed: gzip and deflate, expanded within a limit."""

import gzip
import zlib

from service.problems import RequestRefused, too_large

# The window's size as zlib takes it: 15 bits, and 16 more where gzip's own head and tail are meant.
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
LEAST = 1024  # bytes of an answer that is worth compressing
LEVEL = 1


def decoded(body: bytes | bytearray, coding: str, limit: int) -> bytes | bytearray:
    """The body as it was before compression; 415 for another coding, 413 beyond the limit, 400 where it is damaged."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in WINDOWS:
        raise RequestRefused(
            415, "unsupported_content_encoding", "The body is compressed in an unknown way",
            f"Content-Encoding {coding[:40]!r} is not read; send gzip, deflate or identity",
        )  # fmt: skip
    window = WINDOWS[coding]
    if coding == "deflate" and not _has_zlib_head(body):
        window = -15  # some clients send deflate without zlib's head
    stream = zlib.decompressobj(window)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise _damaged(coding, str(error)) from error
    if len(plain) > limit:
        raise RequestRefused(413, "content_too_large", "The body is too large", f"expanded, {too_large(limit)}")
    if not stream.eof:
        raise _damaged(coding, "it ends too early")
    if stream.unused_data:
        raise _damaged(coding, f"{len(stream.unused_data)} bytes follow its end")
    return plain


def encoded(body: bytes, accepted: str) -> tuple[bytes, str | None]:
    """An answer compressed as the Accept-Encoding header asks, and the coding; as it is where that would not pay."""
    if len(body) < LEAST:
        return body, None
    wanted = {
        coding.strip(): _quality(parameters)
        for coding, _, parameters in (entry.partition(";") for entry in accepted.lower().split(","))
    }
    chosen = max(("gzip", "deflate"), key=lambda coding: wanted.get(coding, wanted.get("*", 0.0)))
    if not wanted.get(chosen, wanted.get("*", 0.0)):
        return body, None
    packed = gzip.compress(body, LEVEL, mtime=0) if chosen == "gzip" else zlib.compress(body, LEVEL)
    return packed, chosen


def _has_zlib_head(body: bytes | bytearray) -> bool:
    return len(body) >= 2 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def _damaged(coding: str, why: str) -> RequestRefused:
    return RequestRefused(400, "malformed_body", "The compressed body is damaged", f"the body is no {coding}: {why}")
