"""The checks of data, made once for the same contents and the same question."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Lock

from pydantic import TypeAdapter

from engine import Dataset, JobSpec
from engine.data import DataSpec, FractionSplit, dataset_references
from engine.data.checks import DataReport, Finding, report_of, report_without_target
from engine.data.checks.finding import Settle
from engine.data.formats.guess import Guess
from engine.data.refusals import refusals, rows_looked_at
from engine.data.splits import AnySplit
from worker.datasets.library import DatasetLibrary
from worker.domain.datasets import DatasetRecord
from worker.errors import StoreError
from worker.store import TenantStore

REVISION = 3
"""Of the checks: a report of an earlier one is made anew."""

ONE_AT_A_TIME = Lock()
GUESSES = TypeAdapter(list[Guess])

UNLOOKED = {"normalize", "augment"}
"""Fields of a spec's data that change nothing about a report."""


def about_guesses(record: DatasetRecord) -> Iterator[Finding]:
    """What the upload's format guessed about the file, each with the query parameter that settles it."""
    for guess in GUESSES.validate_python(record.summary.get("guesses") or []):
        yield Finding(
            check="guess",
            severity="info",
            count=len(guess.lines) or None,
            examples=tuple(f"line {line}" for line in guess.lines),
            message=f"The {guess.what} of {record.name!r} was guessed: {guess.detail}.",
            advice="If that is right, nothing is left to do, or say it when the next such file comes; if not, upload "
            "the file again and say what it is.",
            settle=Settle(upload=guess.settle) if guess.settle else None,
        )


class DataChecks:
    """Reports on the datasets of a library, kept in the store; each process makes one at a time."""

    def __init__(self, store: TenantStore, datasets: DatasetLibrary) -> None:
        self._store = store
        self._datasets = datasets

    def of_dataset(self, reference: str, *, target: str | None, split: AnySplit | None) -> DataReport:
        """What is to be said before there is a job; SpecError where target or split do not fit the dataset."""
        record = self._datasets.find(reference)
        spec = DataSpec(train=record.id, target=target or record.id, split=split or FractionSplit())
        records = {record.id: record}
        for pointer, name in dataset_references(spec)[1:]:
            records[name] = self._datasets.find(name, pointer=pointer)

        def make() -> DataReport:
            datasets = {name: self._datasets.open(known.id) for name, known in records.items()}
            if target is None:
                return report_without_target(spec.split, datasets, spec.train, title=record.name)
            refused = refusals(spec, datasets, rows=rows_looked_at(datasets[spec.train].training))
            return report_of(spec, datasets, title=record.name, refused=refused)

        asked = spec.model_dump(mode="json", exclude=UNLOOKED) | {"train": record.name, "target": target}
        # A guess is about the file, not about the contents that a report is kept for.
        return self._known(records, {"data": asked, "loss": "auto"}, make).with_findings(about_guesses(record))

    def of_job(self, spec: JobSpec, datasets: Mapping[str, Dataset], ids: Mapping[str, str]) -> DataReport:
        """What is to be said of a job's data, opened already; `ids` are those of the datasets."""
        found = {name: self._store.datasets.find(ids[name]) for _, name in dataset_references(spec.data)}
        records = {name: record for name, record in found.items() if record is not None}
        title = records[spec.data.train].name if spec.data.train in records else spec.data.train

        def make() -> DataReport:
            return report_of(spec.data, datasets, loss=spec.loss.type, title=title)

        if len(records) < len(found):  # deleted by hand: nothing to keep the report with
            return make()
        asked = spec.data.model_dump(mode="json", exclude=UNLOOKED) | {"train": title}
        guesses = [finding for record in records.values() for finding in about_guesses(record)]
        return self._known(records, {"data": asked, "loss": spec.loss.type}, make).with_findings(guesses)

    def _known(
        self, records: Mapping[str, DatasetRecord], asked: Mapping[str, object], make: Callable[[], DataReport]
    ) -> DataReport:
        """The report that was kept, or a new one."""
        contents = [record.sha256 for record in records.values()]
        key = hashlib.sha256(
            json.dumps([REVISION, self._store.principal.tenant, contents, asked], sort_keys=True).encode()
        ).hexdigest()
        with ONE_AT_A_TIME:
            kept = self._store.data_reports.find(key)
            if kept is not None:
                return DataReport.model_validate(kept)
            report = make()
            with suppress(StoreError):  # then it is made again when it is next asked for
                self._store.data_reports.keep(key, next(iter(records.values())).id, report.model_dump(mode="json"))
            return report
