"""Forms (multipart/form-data, RFC 7578) with one file: read as they arrive, whatever pieces they arrive in."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Protocol

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from engine.json_pointer import pointer
from service.http.media_types import essence
from service.http.problems import Fault, RequestRefused, invalid
from service.http.validation_messages import short, unknown

FORM = "multipart/form-data"
FILE = "file"
"""The field that holds the file; another one does if it has a file's name."""

MOST_BESIDE = 64 * 1024  # bytes of a form beside its file: heads of parts, and the other fields
MOST_PARTS = 32
MOST_FIELD = 16 * 1024  # bytes

SEND = "as `curl -F file=@data.csv` does"


class FormReader:
    """Takes a form's body piece by piece, hands on the bytes of its file, and keeps its other fields.

    Raises `RequestRefused` for what is no form (400), and for a form that has no file, several, or another field than
    those allowed (422).
    """

    def __init__(self, content_type: str, allowed: Sequence[str]) -> None:
        self.file: MultipartSegment | None = None  # its part, as soon as that has begun
        self.fields: dict[str, str] = {}
        self._allowed = allowed
        self._text: bytearray | None = None  # of the field that is being read; None within the file
        self._name = ""
        try:
            self._parser = PushMultipartParser(boundary_of(content_type), max_segment_count=MOST_PARTS)
        except MultipartError as error:
            raise malformed(f"its boundary cannot be used: {error}") from error

    def read(self, piece: bytes) -> Iterator[bytes]:
        """What the piece has of the file; an empty piece is the end of the body."""
        try:
            for event in self._parser.parse(piece):
                if isinstance(event, MultipartSegment):
                    self._begin(event)
                elif event is None:
                    self._end()
                elif self._text is None:
                    yield event
                else:
                    self._text += event
                    if len(self._text) > MOST_FIELD:
                        raise refused(self._name, f"is longer than the {MOST_FIELD} bytes that a field may have")
        except ParserLimitReached as error:
            raise malformed(f"it has more than a form of one file needs: {error}") from error
        except MultipartError as error:
            raise malformed(f"{error}; is it whole, and does Content-Type name the boundary that it has?") from error

    def chosen(self) -> MultipartSegment:
        """The file's part, once the whole body is read; a browser sends one without a name where none was chosen."""
        if self.file is None or (not self.file.filename and not self.file.bytes_received):
            raise refused(FILE, f"is missing: the form has no file; send one {SEND}")
        return self.file

    def _begin(self, part: MultipartSegment) -> None:
        name = part.name or ""
        if name == FILE or part.filename is not None:
            if self.file is not None:
                raise refused(name, "is a second file; a form has one, so send another form for each of the others")
            self.file, self._text = part, None
        elif name in self._allowed:
            self._name, self._text = name, bytearray()
        else:
            raise refused(name, unknown("field of the form", name, [FILE, *self._allowed]))

    def _end(self) -> None:
        if self._text is None:
            return
        try:
            text = self._text.decode()
        except UnicodeDecodeError as error:
            raise refused(self._name, f"is not UTF-8: byte {error.start} is 0x{self._text[error.start]:02x}") from error
        add(self.fields, self._name, text)


def add(fields: dict[str, str], name: str, value: str) -> None:
    """Set a field that has no other value yet; raises `RequestRefused`."""
    if fields.setdefault(name, value) != value:
        raise refused(name, f"is both {short(fields[name])!a} and {short(value)!a}; give it once")


def boundary_of(content_type: str) -> str:
    """What stands between the parts; raises `RequestRefused` for a Content-Type that does not say it."""
    boundary: str = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise malformed(f"Content-Type names no boundary; do not set it by hand, but have the client make it, {SEND}")
    return boundary


def malformed(why: str) -> RequestRefused:
    """The refusal of a body that says it is a form, and is none."""
    return RequestRefused(400, "malformed_form", "The body is no form", f"the body is no {FORM}: {why}")


def refused(name: str, why: str) -> RequestRefused:
    """The refusal of a form for one of its fields."""
    return invalid([Fault(pointer=pointer([name]), part="body", detail=why)])


class Hash(Protocol):
    """A hash that grows with a body."""

    def update(self, piece: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def hash_of(content_type: str, start: bytes) -> Hash:
    """What hashes a body of this type, behind `start`; raises `RequestRefused` for a form without a boundary."""
    return FormHash(start, boundary_of(content_type)) if essence(content_type) == FORM else sha256(start)


class FormHash:
    """The SHA-256 of a form, whatever its boundary: clients draw another one for the same form sent again."""

    def __init__(self, start: bytes, boundary: str) -> None:
        self._hash = sha256(start)
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
        self._tail = b"\r\n"  # may be the beginning of a delimiter; the first one has no line before it
        self._bytes = 0

    def update(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        *parts, rest = (self._tail + piece).split(self._delimiter)
        for part in parts:
            self._take(part)
            self._hash.update(b"%d;" % self._bytes)
            self._bytes = 0
        held = len(self._delimiter) - 1
        self._take(rest[:-held])
        self._tail = rest[-held:]

    def hexdigest(self) -> str:
        """Of what has come so far."""
        found = self._hash.copy()
        found.update(self._tail)
        return found.hexdigest()

    def _take(self, part: bytes) -> None:
        self._hash.update(part)
        self._bytes += len(part)
