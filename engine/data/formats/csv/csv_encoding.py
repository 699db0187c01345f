"""The encoding of a file of text: as its byte order mark says, as whoever sent it says, UTF-8, or a guess that is said.

A file that is not UTF-8 and says nothing is read in a guessed encoding only if what stands outside ASCII makes words
there; else it is refused with what to do.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from engine.data.formats.guess import Guess
from engine.data.reading.cell_values import shown
from engine.errors import DataError

UTF_8 = "utf-8"
HEAD = 1 << 12  # bytes that tell what a file is
SAMPLED = 1 << 15  # bytes of lines outside ASCII
CHUNK = 1 << 20
MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WESTERN = "windows-1252"
# What people still save text in, by Python's names; ISO 8859 and others are their subsets, or not told apart from them.
CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030",
    "big5", "cp949",
]  # fmt: skip
NEIGHBORS = ("cp1250", "cp1254")  # of Western
UNSURE = 0.5  # share of disorder at which charset-normalizer gives up, for short texts
FIRST = 50  # lines
ENOUGH = 3  # letters that tell of another encoding
NAMES = {"cp932": "shift_jis", "cp949": "euc-kr"}
CLINGING = "°µ²³½…’‘‚“”„«»¿¡™®©ºª–—·"  # signs that may have a letter on one side
BETWEEN = "’‘·–—"  # or on both
NO_TEXT = {
    "idna",
    "punycode",
    "unicode_escape",
    "raw_unicode_escape",
    "unicode-escape",
    "raw-unicode-escape",
    "undefined",
}
PLAUSIBLE = 0.9


class NotUtf8(DataError):
    """The file is not UTF-8; another encoding may be guessed."""


@dataclass(frozen=True)
class Encoding:
    """A codec that Python knows, how many bytes of a byte order mark there are, and the guess that it may be."""

    codec: str = UTF_8
    mark: int = 0
    guess: Guess | None = None

    @property
    def plain(self) -> bool:
        """Whether bytes are UTF-8 as they stand."""
        return self.codec == UTF_8


def codec_of(name: str) -> str:
    """Python's name of a codec that makes text of bytes; ValueError for another."""
    try:
        found = codecs.lookup(name.strip())
        if found.name in NO_TEXT or bytes(4).decode(found.name) is None:
            raise LookupError
    except (LookupError, ValueError, UnicodeError):
        raise ValueError(
            f"the encoding {shown(name)} is unknown; there are utf-8, utf-16, windows-1252, iso-8859-1, windows-1250, "
            "windows-1251, shift_jis, gb18030 and Python's others"
        ) from None
    return found.name


def opened(source: Path | bytes) -> BinaryIO:
    """A file, or a body as one."""
    return BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def encoding_of(head: bytes, told: str | None) -> Encoding:
    """By the mark, as told, or by zeros in every other byte of the first; UTF-8 otherwise, which reading then shows."""
    for mark, codec in MARKS:
        if head.startswith(mark):
            return Encoding(codec, len(mark))
    if told is not None:
        codec = codec_of(told)
        return Encoding(
            {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": UTF_8, "ascii": UTF_8}.get(codec, codec)
        )
    for codec, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        others = head[::2] if codec == "utf-16-le" else head[1::2]
        if len(head) >= 4 and zeros.count(0) > 0.8 * len(zeros) and not others.count(0):
            detail = f"every other byte is zero, so the file is read as {codec.upper()}"
            return Encoding(codec, 0, Guess.of("encoding", detail, f"encoding={codec}"))
    return Encoding()


def in_utf8(content: bytes, charset: str) -> bytes:
    """A text in the encoding that its sender names, or its byte order mark, as UTF-8; DataError for another."""
    try:
        encoding = encoding_of(content[:HEAD], charset)
    except ValueError as error:
        raise DataError(str(error)) from None
    return b"".join(decoded(iter([content[encoding.mark :]]), encoding))


def guessed(source: Path | bytes, refusal: NotUtf8) -> Encoding:
    """The encoding in which what is outside ASCII makes words; the refusal where there is none."""
    sample, lines = _sample(source)
    for codec in _candidates(sample):
        text = sample.decode(codec, "replace")
        words = [word for word in re.split(r"[\s,;|]+", text) if not word.isascii()]
        told = sum(letter.isalpha() for word in words for letter in word if not letter.isascii())
        if words and _is_plausible(text) and (codec == "cp1252" or told >= ENOUGH):
            name = NAMES.get(codec, codec.replace("cp", "windows-").replace("_", "-"))
            detail = (
                f"the file is not UTF-8; it is read as {name}, so that there is {shown(words[0])} in line {lines[0]}. "
                "If that is wrong, name its encoding"
            )
            return Encoding(codec, 0, Guess.of("encoding", detail, f"encoding={name}", tuple(lines)))
    raise refusal


def _candidates(sample: bytes) -> Iterator[str]:
    """Western first, if words stay words in it, for its neighbors are not told apart by a few letters; then others."""
    found = from_bytes(sample, cp_isolation=CANDIDATES)
    coherence = {match.encoding: match.coherence for match in found}
    western = sample.decode(WESTERN, "replace")
    words = [word for word in re.findall(r"[^\W\d_]{3,}", western) if not word.isascii()]
    foreign = sum(not any(letter.isascii() for letter in word) for word in words)
    neighbors = [codec for codec in NEIGHBORS if coherence.get(codec, 0) > coherence.get("cp1252", 0)]
    if 2 * foreign <= len(words):
        yield from [*neighbors, "cp1252"] if "cp1252" in coherence else ["cp1252"]
    yield from (match.encoding for match in found if match.encoding != "cp1252")
    yield from (match.encoding for match in from_bytes(sample, cp_isolation=CANDIDATES, threshold=UNSURE))


def decoded(pieces: Iterator[bytes], encoding: Encoding) -> Iterator[bytes]:
    """Pieces of a file as UTF-8; DataError for what the encoding does not have."""
    decoder = codecs.getincrementaldecoder(encoding.codec)("strict")
    line = 1
    final = False
    while not final:
        piece = next(pieces, b"")
        final = not piece
        try:
            text = decoder.decode(piece, final)
            plain = text.encode()
        except UnicodeError as error:
            reason = getattr(error, "reason", "damaged")
            raise DataError(
                f"the file is not {encoding.codec} ({reason}) in line {line} or later; send it with the encoding that "
                "it has (encoding=…), or save it as UTF-8"
            ) from None
        line += text.count("\n")
        yield plain


def _sample(source: Path | bytes) -> tuple[bytes, list[int]]:
    """The first lines, and of all others those that are not ASCII, until they are enough; and the numbers of these."""
    found, lines, size, number = [], [], 0, 0
    with opened(source) as file:
        while size < SAMPLED and (line := file.readline(CHUNK)):
            number += 1
            if number <= FIRST or not line.isascii():
                found.append(line[:SAMPLED])
                size += len(line)
            if not line.isascii():
                lines.append(number)
    return b"".join(found), lines


def _is_plausible(text: str) -> bool:
    """Whether most of what is outside ASCII are letters beside letters, or signs where signs stand."""
    good = count = 0
    for place, letter in enumerate(text):
        if letter.isascii():
            continue
        count += 1
        beside = [text[other : other + 1] for other in (place - 1, place + 1) if other >= 0]
        letters = [other.isalpha() for other in beside]
        if letter.isalpha() and letter not in CLINGING:
            good += any(letters)
        elif letter in CLINGING:
            good += letter in BETWEEN or not (all(letters) or any(other in CLINGING for other in beside))
        else:
            good += letter.isspace() or (letter.isprintable() and letter != "\ufffd" and not any(letters))
    return count > 0 and good >= PLAUSIBLE * count
