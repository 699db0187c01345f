"""Lines of a CSV file that are no rows: the header once more, as files that were joined have it, and comments."""

import re
from itertools import islice

from engine.data.formats.csv.csv_text import Lines
from engine.data.formats.guess import MOST_LINES, Guess


class PassedOver:
    """Makes such lines blank, so that all others keep their numbers, and counts the headers."""

    def __init__(self, header: bytes, comment: bytes) -> None:
        self._header, self._comment = header.removesuffix(b"\r"), comment
        self.count = 0
        self.lines: list[int] = []

    def __call__(self, block: Lines) -> Lines:
        raw = block.raw
        if self._header and self._header in raw and (self._header + b"\n" in raw or self._header + b"\r\n" in raw):
            raw = self._without_headers(block)
        if self._comment and self._comment in raw:
            raw = b"\n".join(b"" if line.startswith(self._comment) else line for line in raw.split(b"\n"))
        return block if raw is block.raw else Lines(block.number, raw)

    @property
    def guesses(self) -> tuple[Guess, ...]:
        """What is to be said of the headers."""
        if not self.count:
            return ()
        times = "once" if self.count == 1 else f"{self.count} times"
        detail = f"the header stands in the file {times} more, first in line {self.lines[0]}; it was left out there"
        return (Guess.of("repeated header", detail, "", tuple(self.lines)),)

    def _without_headers(self, block: Lines) -> bytes:
        # A file that was joined to another may begin with a byte order mark, and end its lines in another way.
        pattern = re.compile(rb"^(?:\xef\xbb\xbf)?" + re.escape(self._header) + rb"\r?\n", re.MULTILINE)
        for found in islice(pattern.finditer(block.raw), MOST_LINES - len(self.lines)):
            self.lines.append(block.number + block.raw.count(b"\n", 0, found.start()))
        raw, count = pattern.subn(b"\n" * (self._header.count(b"\n") + 1), block.raw)
        self.count += count
        return raw
