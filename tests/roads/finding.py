"""What a trial finds: two roads that do not agree, and the requests that show it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """A road, the kinds of the columns that it takes, and a script of curls."""

    road: str
    kinds: str
    difference: str
    script: Path | None = None

    def __str__(self) -> str:
        return f"{self.road} [{self.kinds}] {self.difference}" + (f"\n    {self.script}" if self.script else "")
