"""Lines of a CSV file that are no rows: the header once more, as files that were joined have it, and comments."""

from engine.data.formats.csv_text import Lines
from engine.data.formats.guess import MOST_LINES, Guess


class PassedOver:
    """Makes such lines blank, so that all others keep their numbers, and counts the headers."""

    def __init__(self, header: bytes, comment: bytes) -> None:
        self._header, self._comment = header + b"\n" if header else b"", comment
        self.count = 0
        self.lines: list[int] = []

    def __call__(self, block: Lines) -> Lines:
        raw = block.raw
        if self._header and self._header in raw:
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
        return (Guess.of("header_repeated", detail, "", tuple(self.lines)),)

    def _without_headers(self, block: Lines) -> bytes:
        raw, header = block.raw, self._header
        blank = b"\n" * header.count(b"\n")
        at = raw.find(header)
        while at >= 0:
            if at == 0 or raw[at - 1 : at] == b"\n":
                self.count += 1
                if self.count <= MOST_LINES:
                    self.lines.append(block.number + raw.count(b"\n", 0, at))
                raw = raw[:at] + blank + raw[at + len(header) :]
            at = raw.find(header, at + 1)
        return raw
