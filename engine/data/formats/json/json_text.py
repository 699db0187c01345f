"""The text of a JSON file, of which only one value is in memory at a time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

CHUNK = 1 << 18  # characters read at a time
SPACE = " \t\r\n"


class JsonText:
    """A place in the text of a file, which values, lists and objects are read from on."""

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        self._file = path.open(encoding="utf-8-sig")
        self._limits = limits
        self._decoder = json.JSONDecoder()
        self._text, self._at = "", 0

    def __enter__(self) -> "JsonText":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def ahead(self) -> str:
        """The next character that is no space, or nothing at the file's end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in SPACE:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def skip(self) -> None:
        """Go behind the next character."""
        self._at += 1

    def items(self) -> Iterator[int]:
        """The items of the list that begins here, numbered from 1; whoever asks for the next has read the last."""
        self.ahead()
        self.skip()
        number, comma = 0, False
        while (mark := self.ahead()) and mark != "]":
            if number and not comma:
                if mark != ",":
                    raise DataError(f"a comma is missing after row {number} of the list")
                self.skip()
                comma = True
                continue
            number, comma = number + 1, False
            yield number
        if not mark or comma:
            raise DataError(f"the list ends after row {number} without a closing bracket, or with a comma too many")
        self.skip()

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; whoever asks for the next has read the last one's value."""
        self.ahead()
        self.skip()
        key = ""
        while (mark := self.ahead()) and mark != "}":
            if mark != '"':
                raise DataError(f"the object is no JSON after {key[:40]!r}: a key in double quotes is expected")
            key = self.value(f"the key after {key[:40]!r}")
            if self.ahead() != ":":
                raise DataError(f"the object is no JSON: a colon is missing after {key[:40]!r}")
            self.skip()
            if not self.ahead():
                raise DataError(f"the object ends after {key[:40]!r}, which has no value")
            yield key
            mark = self.ahead()
            if mark == ",":
                self.skip()
                if self.ahead() == "}":
                    raise DataError(f"the object has a comma too many after {key[:40]!r}")
            elif mark != "}":
                raise DataError(f"the object is no JSON: a comma or its end is missing after {key[:40]!r}")
        if not mark:
            raise DataError(f"the object has no closing brace after {key[:40]!r}")
        self.skip()

    def value(self, what: str) -> Any:
        """The JSON value that begins here, more being read until it is whole; `what` names it in an error."""
        self.ahead()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise DataError(f"{what} is nested too deeply; rows are flat objects") from None
            except json.JSONDecodeError as error:
                size = len(self._text) - self._at
                if size > self._limits.max_line:
                    raise DataError(
                        f"{what} is no JSON within {self._limits.max_line} characters: {error.msg}"
                    ) from None
                # What is read doubles, so that a long row is not tried at every chunk.
                if not self._more(max(CHUNK, size)):
                    raise DataError(f"{what} is no JSON: {error.msg}") from None
            except ValueError:  # an integer of thousands of digits
                raise DataError(f"{what} holds an integer beyond float64; send a smaller one, or a text") from None
            else:
                if end == len(self._text) and isinstance(value, int | float):  # a number may go on
                    if self._more():
                        continue
                    end = len(self._text)
                self._at = end
                return value

    def _more(self, size: int = CHUNK) -> bool:
        try:
            read = self._file.read(size)
        except UnicodeDecodeError as error:
            raise DataError(f"the file is not UTF-8 ({error.reason}); save it as UTF-8") from None
        self._text, self._at = self._text[self._at :] + read, 0
        return bool(read)
