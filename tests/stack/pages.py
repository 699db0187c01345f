"""The blocks of code in the pages of the documentation: sessions at a shell, programs, and what they print."""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = (README, *sorted((REPOSITORY / "docs").glob("*.md")))
PAPERS = (
    *PAGES,
    *sorted((REPOSITORY / "docs").glob("*/*.md")),
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
)

BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STEP = re.compile(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
CHANGING = re.compile(
    r"(\b[a-z]+_)[0-9a-f]{32}|(\d{4}-\d\d-\d\dT[\d:.]+Z)|(127\.0\.0\.1:)\d+|([0-9a-f]{64})"  # ids, times, ports, hashes
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    needs: str  # what the info string says behind the language: what a machine must have for it, such as docker
    text: str

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Of a session: the commands, each with the output below it."""
        found = STEP.findall(self.text)
        return [(re.sub(r"^> ", "", command, flags=re.MULTILINE), output) for command, output in found]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, from top to bottom."""
    return [Block(*found) for found in BLOCK.findall(page.read_text())]


def unchanging(text: str) -> str:
    """The text without what differs from run to run or from machine to machine: ids, times, ports and decimals."""
    return NUMBER.sub("#", CHANGING.sub(r"\1\3…", text))


def numbers(text: str) -> list[float]:
    """The decimals of the text; another BLAS may round otherwise."""
    return [float(number) for number in NUMBER.findall(CHANGING.sub("", text))]
