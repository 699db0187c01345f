"""All that the checks have to say about a dataset and its split."""

from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field

from engine.data.checks.class_balance import ClassBalance
from engine.data.checks.finding import SEVERITIES, Finding
from engine.data.checks.giveaways import Predictor
from engine.data.checks.mismatch import Mismatch
from engine.data.checks.repeated_rows import RepeatedRows
from engine.events import DataChecked, Event, SplitAdvised


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings, the gravest first."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


class SplitReport(BaseModel):
    """The split, beside what is advised for so many rows."""

    model_config = ConfigDict(frozen=True)

    rows: Mapping[str, int] = Field(description="per set")
    advised: Mapping[str, float] = Field(description="shares by the number of rows; reported, never forced")
    used: Mapping[str, float]
    followed: bool
    reason: str


class DataReport(BaseModel):
    """Findings, the gravest first, and the figures behind them."""

    model_config = ConfigDict(frozen=True)

    findings: tuple[Finding, ...]
    split: SplitReport
    classes: ClassBalance | None = Field(description="null without a target of classes")
    strongest: tuple[Predictor, ...] = Field(description="the columns that predict the target best alone")
    repeated_rows: RepeatedRows | None = Field(description="null without a column to compare")
    mismatches: tuple[Mismatch, ...] = Field(description="of train and dev, dev and test")

    def with_findings(self, more: Iterable[Finding]) -> "DataReport":
        """The report with more findings among its own."""
        return self.model_copy(update={"findings": by_severity([*self.findings, *more])})

    def events(self) -> Iterator[Event]:
        """What a job tells of it."""
        split = self.split
        yield SplitAdvised(dict(split.rows), dict(split.advised), dict(split.used), split.followed, split.reason)
        for found in self.findings:
            settle = None if found.settle is None else found.settle.model_dump(mode="json")
            yield DataChecked(
                found.check,
                found.severity,
                found.message,
                found.advice,
                found.columns,
                count=found.count,
                examples=found.examples,
                settle=settle,
            )
