"""The content codings that bodies travel in, either way: gzip and deflate."""

import zlib
from functools import lru_cache

KNOWN = ("gzip", "deflate")

# The window's size as zlib takes it: 15 bits; 16 more where gzip's own head and tail are meant, negative for neither.
GZIP, ZLIB, BARE = 31, 15, -15
LEVEL = 1  # half the size for a tenth of the time of level 9
LARGEST = 256 * 1024
"""Bytes that one piece of a compressed body may become."""
SLACK = 64 * 1024
"""Bytes by which a compressed body may be larger than what it stands for."""


class Damaged(ValueError):
    """The body is not in the coding that its header names."""


class Decoder:
    """Expands a body piece by piece, and never holds more than one piece of what it becomes."""

    def __init__(self, coding: str) -> None:
        self.coding = coding
        self._stream = zlib.decompressobj(GZIP) if coding == "gzip" else None
        self._waiting = b""
        self._full = False  # the last piece was as large as one may be: there may be more of it
        self._came = self._went = 0

    @property
    def hungry(self) -> bool:
        """Whether more of the body is needed for more of what it stands for."""
        return len(self._waiting) < (2 if self._stream is None else 1) and not self._full

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._came += len(data)
        self._waiting += data

    def piece(self) -> bytes:
        """The next bytes that the body stands for, perhaps none; raises Damaged."""
        if self.hungry:
            return b""
        if self._stream is None:
            self._stream = zlib.decompressobj(ZLIB if _has_zlib_head(self._waiting) else BARE)
        elif self._stream.eof:
            if self.coding != "gzip" or self._waiting[:1] != b"\x1f":
                raise Damaged(f"{len(self._waiting)} bytes follow its end")
            self._stream = zlib.decompressobj(GZIP)  # a file may be several, one behind the other
        try:
            piece = self._stream.decompress(self._waiting, LARGEST)
        except zlib.error as error:
            raise Damaged(str(error)) from error
        self._waiting = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        self._full = len(piece) == LARGEST and not self._stream.eof
        self._went += len(piece)
        if self._came > self._went * 1.01 + SLACK:
            raise Damaged(f"{self._came} bytes of it become {self._went}")
        return piece

    def finish(self) -> None:
        """Raises Damaged if the body has ended too early; no body at all is fine."""
        if self._came and (self._stream is None or not self._stream.eof):
            raise Damaged("it ends too early")


class Encoder:
    """Compresses a body as it goes out."""

    def __init__(self, coding: str) -> None:
        self._stream = zlib.compressobj(LEVEL, wbits=GZIP if coding == "gzip" else ZLIB)

    def piece(self, data: bytes, *, last: bool) -> bytes:
        """What goes over the wire for the next bytes, so that whoever reads it has them all."""
        return self._stream.compress(data) + self._stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


def coding_of(content_encoding: str) -> str | None:
    """The coding of a body by its Content-Encoding, `identity` included; None for one that is not known."""
    coding = content_encoding.strip().lower() or "identity"
    coding = "gzip" if coding == "x-gzip" else coding
    return coding if coding in (*KNOWN, "identity") else None


@lru_cache(256)
def chosen(accept_encoding: bytes) -> str | None:
    """The coding that a client prefers by its Accept-Encoding; None where it wants the body as it is."""
    wanted = {
        coding.strip(): _quality(parameters)
        for coding, _, parameters in (
            entry.partition(";") for entry in accept_encoding.decode("latin-1").lower().split(",")
        )
    }
    best = max(KNOWN, key=lambda coding: wanted.get(coding, wanted.get("*", 0.0)))
    return best if wanted.get(best, wanted.get("*", 0.0)) else None


def _has_zlib_head(body: bytes) -> bool:
    """Some clients send deflate without it."""
    return body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
