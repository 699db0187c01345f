"""A trial: a table is drawn and learned from, rows are drawn, and every road has to answer them alike."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.roads.answer import (
    Answer,
    Answered,
    Failed,
    Refused,
    differ,
    of_columns,
    of_csv_text,
    refusal_in_words,
    row_of,
)
from tests.roads.chance import chance
from tests.roads.column import DateColumn
from tests.roads.file_format import MEDIA_TYPES, Format, Row, write_rows
from tests.roads.finding import Finding
from tests.roads.road import CLOSE, EXACT, MARKING, Road, Served, by_objects
from tests.roads.server import Asked, Server
from tests.roads.table import NUMBERED, TARGET, Table, draw_row, draw_table, said

BATCH_EVERY = 5  # draws


@dataclass
class Waiting:
    """A batch prediction under way, and what it must say."""

    rows: Sequence[Row]
    form: str
    upload: Format
    expected: Answer
    asked: list[Asked]
    id: str


@dataclass
class Trial:
    """One model and the rows that it is asked for."""

    server: Server
    seed: int
    folder: Path | None
    kinds: Sequence[str] = ()
    prefix: str = "roads"  # of the names on the service
    findings: list[Finding] = field(default_factory=list)
    draws: int = 0

    def __post_init__(self) -> None:
        self.random = chance(self.seed)
        self.name = f"{self.prefix}-{self.seed}"
        self.table: Table = draw_table(self.random, self.kinds)

    def run(self, draws: int) -> list[Finding]:
        """Train, draw so many times, and return what was found."""
        model = self._trained()
        if model is None:
            return self.findings
        learned = [*self.server.asked]
        waiting = []
        for number in range(draws):
            del self.server.asked[:]
            rows = self._drawn_rows()
            expected = by_objects(model, rows, self.random)
            self._check_marks(rows, expected, learned)
            for road, ask in {**EXACT, **CLOSE}.items():
                self._compare(model, road, ask, rows, expected, learned)
            if number % BATCH_EVERY == 0 and len(rows) > 1:
                waiting.append(self._submitted(rows, expected, number))
            self.draws += 1
        for batch in waiting:
            self._compare_batch(batch, learned)
        return self.findings

    def _trained(self) -> Served | None:
        """The model of the drawn table; None, and a finding, where there is none."""
        table = self.table
        uploaded = self._upload(self.name, table.form, table.train, typed=table.typed)
        if uploaded.status_code >= 300:
            return self._no(f"upload as {table.form}", uploaded.text)
        self._check_distinct(uploaded)
        form = self._form(table.test)
        uploaded = self._upload(f"{self.name}-test", form, table.test, typed=self.random.random() < 0.5)
        if uploaded.status_code >= 300:
            self._no(f"upload of test rows as {form}", uploaded.text)
        result = self._job(f"{self.name}-test")
        if result is None:  # what was found is written down; now without rows that are spelled in another way
            self._upload(f"{self.name}-calm", table.form, table.train, typed=table.typed)
            if (result := self._job(f"{self.name}-calm")) is None:
                return None
            return Served(self.server, self.name, table.columns)
        model = Served(self.server, self.name, table.columns)
        self._check_test_metrics(model, result)
        return model

    def _upload(self, name: str, form: Format, rows: Sequence[Row], *, typed: bool) -> httpx.Response:
        body = write_rows(form, self.table.all_columns, rows, self.random, typed=typed)
        return self.server.ask("POST", f"/v1/datasets?name={name}", body, MEDIA_TYPES[form])

    def _job(self, test: str) -> dict[str, Any] | None:
        """The result of the job that makes the model; None, and a finding, where it has none."""
        target = {TARGET: {"type": "number"}} if self.table.target in NUMBERED else {}
        normalizer = self.random.choice(("standard", "standard", "minmax", "none"))
        spec = {
            "data": {
                "train": self.name,
                "target": TARGET,
                "split": {"type": "given", "test": test},
                "normalize": {"type": normalizer},
                "columns": {**self.table.options, **target},
            },
            # thousands that are not scaled leave float32 no digits for a hundred-thousandth of a logit
            "precision": "float64" if normalizer == "none" else "float32",
            "layers": [{"type": "dense", "units": self.random.choice((3, 8))}],
            "training": {"epochs": 3, "batch_size": 16},
            "optimizer": {"type": "adam", "learning_rate": 0.02},
            "seed": self.seed % 1000,
            "register_as": self.name,
        }
        answer = self.server.ask("POST", "/v1/jobs", spec, gives="job")
        if answer.status_code != 201:
            return self._no("job", answer.text)
        job = self.server.ask("GET", "/v1/jobs/{job}?wait=60").json()
        if job["state"] != "succeeded":
            return self._no(f"job {job['state']}", str(job["error"]))
        return job["result"]

    def _form(self, rows: Sequence[Row]) -> Format:
        """A format for rows; a row of nothing is none in a sheet."""
        forms: list[Format] = ["csv", "csv", "json", "ndjson", "parquet"]
        if all(any(cell.plain is not None for cell in row.values()) for row in rows):
            forms.append("xlsx")
        return self.random.choice(forms)

    def _drawn_rows(self) -> list[Row]:
        rows = [dict(draw_row(self.table.columns, self.random)) for _ in range(self.random.randint(1, 8))]
        if self.random.random() < 0.2:
            for _ in range(self.random.randint(1, 2)):
                column = self.random.choice(self.table.columns)
                cell = column.unreadable(self.random)
                if cell is not None:
                    self.random.choice(rows)[column.name] = cell
        return rows

    def _compare(
        self, model: Served, road: str, ask: Road, rows: Sequence[Row], expected: Answer, learned: list[Asked]
    ) -> None:
        bits, marks = road in EXACT, road in EXACT or road in MARKING
        found = ask(model, rows, self.random)
        if found is None or (difference := differ(expected, found, bits=bits, marks=marks)) is None:
            return
        rows = self._smallest(model, ask, rows, difference, bits=bits, marks=marks)
        del self.server.asked[:]
        expected, found = by_objects(model, rows, self.random), ask(model, rows, self.random)
        difference = differ(expected, found, bits=bits, marks=marks) or difference
        texts = [{name: cell.text for name, cell in row.items()} for row in rows[:1]]
        told = f"{difference}, of {texts}" if len(rows) == 1 else difference
        self._found(f"{road} for JSON objects", rows, told, [*learned, *self.server.asked])

    def _smallest(
        self, model: Served, ask: Road, rows: Sequence[Row], difference: str, *, bits: bool, marks: bool
    ) -> Sequence[Row]:
        """Of rows that are answered in two ways, one row and the cells that it takes, if these alone show it."""

        def shows(tried: Sequence[Row]) -> bool:
            found = ask(model, tried, chance(0))
            return (
                found is not None
                and differ(by_objects(model, tried, chance(0)), found, bits=bits, marks=marks) is not None
            )

        place = row_of(difference)
        one = next((row for at, row in enumerate(rows) if place in (None, at) and shows([row])), None)
        if one is None:
            return rows
        for column in self.table.columns:
            plainer = {**one, column.name: column.usual(chance(1))}
            if shows([plainer]):
                one = plainer
        return [one]

    def _submitted(self, rows: Sequence[Row], expected: Answer, number: int) -> Waiting:
        """A batch prediction of an upload of the same rows."""
        before = len(self.server.asked)
        form, result = self._form(rows), self.random.choice(("csv", "csv", "parquet"))
        name = f"{self.name}-{number}"
        body = write_rows(form, self.table.columns, rows, self.random, typed=self.random.random() < 0.5)
        batch = f"batch{number}"
        answer = self.server.ask("POST", f"/v1/datasets?name={name}", body, MEDIA_TYPES[form])
        if answer.status_code < 300:
            wanted = {"dataset": name, "format": result}
            path = f"/v1/models/{self.name}/batch-predictions"
            answer = self.server.ask("POST", path, wanted, gives=batch)
        asked = self.server.asked[before:]
        problem = None if answer.status_code < 300 else answer.json().get("detail")
        return Waiting(rows, result, form, expected, asked, batch if problem is None else f"refused: {problem}")

    def _compare_batch(self, batch: Waiting, learned: list[Asked]) -> None:
        del self.server.asked[:]
        if batch.id.startswith("refused"):
            found: Answer = refusal_in_words(batch.id)
        else:
            path = f"/v1/models/{self.name}/batch-predictions/{{{batch.id}}}"
            state = self.server.ask("GET", f"{path}?wait=60").json()
            if state["state"] == "succeeded":
                result = self.server.ask("GET", f"{path}/result").content
                found = of_csv_text(result) if batch.form == "csv" else of_columns(_parquet_rows(result))
            else:
                found = refusal_in_words(state["error"]["message"])
        difference = differ(batch.expected, found)
        if difference is not None:
            asked = [*learned, *batch.asked, *self.server.asked]
            self._found(f"batch of {batch.upload} for JSON objects", batch.rows, difference, asked)

    def _check_marks(self, rows: Sequence[Row], answer: Answer, learned: list[Asked]) -> None:
        """What was filled and what was unseen is known here; so is what cannot be read."""
        fields = {"missing": "filled", "unseen": "unseen"}
        dates = {one.name for one in self.table.columns if isinstance(one, DateColumn)}  # a month may be unseen
        if isinstance(answer, Failed):
            self._found("JSON objects", rows, str(answer), [*learned, *self.server.asked])
            return
        unreadable = {(at, n) for at, row in enumerate(rows) for n, cell in row.items() if cell.fate == "unreadable"}
        if isinstance(answer, Refused) or unreadable:
            if not isinstance(answer, Refused) or answer.places != unreadable:
                said_of = f"{sorted(unreadable)} cannot be read, and the answer was {answer}"
                self._found("JSON objects for what was drawn", rows, said_of[:400], [*learned, *self.server.asked])
            return
        for at, (row, prediction) in enumerate(zip(rows, answer.rows, strict=True)):
            for fate, kind in fields.items():
                expected = frozenset(name for name, cell in row.items() if cell.fate == fate) | (
                    prediction.marks.get(kind, frozenset()) & dates if fate == "unseen" else frozenset()
                )
                if prediction.marks.get(kind, frozenset()) != expected:
                    told = (
                        f"row {at}: {fate} are {sorted(expected)}, {kind} says {sorted(prediction.marks.get(kind, ()))}"
                    )
                    self._found(f"{kind} of JSON objects", [row], told, [*learned, *self.server.asked])
                    return

    def _check_distinct(self, uploaded: httpx.Response) -> None:
        """No two different labels become one, and no number is lost."""
        columns = {one["name"]: one for one in uploaded.json()["summary"]["columns"]}
        for column in self.table.columns:
            cells = [row[column.name] for row in self.table.train]
            summary = columns.get(column.name, {})
            numbered = summary.get("type") == "number"
            there = {
                Decimal(cell.number if cell.number == cell.number else cell.text) if numbered else cell.text.strip()
                for cell in cells
                if cell.plain is not None
            }
            missing = sum(cell.plain is None for cell in cells)
            distinct = summary.get("distinct")
            if distinct not in (None, len(there)):
                self._found(
                    "upload", [{column.name: cells[0]}], f"{len(there)} values are {distinct}", self.server.asked
                )
            if missing != summary.get("missing"):
                told = f"{missing} cells of {column.name!r} are missing, and the summary says {summary.get('missing')}"
                self._found("upload", [{column.name: cells[0]}], told, self.server.asked)

    def _check_test_metrics(self, model: Served, result: dict[str, Any]) -> None:
        """The given test set was scored as its rows are predicted, and so does explain."""
        rows = self.table.test
        answer = by_objects(model, [{name: row[name] for name in model.names} for row in rows], self.random)
        if not isinstance(answer, Answered):
            self._found("test rows as JSON objects", rows[:1], str(answer)[:300], self.server.asked)
            return
        if self.table.predicts_numbers:
            errors = [row[TARGET].number - one.numbers[0] for row, one in zip(rows, answer.rows, strict=True)]
            metric, right = "rmse", float(np.sqrt(np.mean(np.square(errors))))
        else:
            labels = [said(row[TARGET].plain) == said(one.label) for row, one in zip(rows, answer.rows, strict=True)]
            metric, right = "accuracy", float(np.mean(labels))
        scored = result["test"].get(metric)
        if scored is None or abs(scored - right) > 1e-5 * (1 + abs(right)):
            self._found(
                "given test rows",
                rows[:1],
                f"{metric} of the predictions is {right}, of the job {scored}",
                self.server.asked,
            )
        explained = self.server.ask(
            "POST", f"/v1/models/{self.name}/explain", {"dataset": f"{self.name}-test", "repeats": 1, "rows": 1000}
        )
        if explained.status_code != 200:
            self._found("explain", rows[:1], explained.text[:300], self.server.asked)
            return
        importance = explained.json()["importance"]
        if importance["metric"] == metric and abs(importance["score"] - right) > 1e-5 * (1 + abs(right)):
            told = f"{metric} of the predictions is {right}, and explain says {importance['score']}"
            self._found("explain", rows[:1], told, self.server.asked)

    def _no(self, what: str, told: str) -> None:
        self._found(what, [], told[:600], self.server.asked, kinds=", ".join(c.kind for c in self.table.columns))

    def _found(
        self, road: str, rows: Sequence[Row], difference: str, asked: Sequence[Asked], kinds: str | None = None
    ) -> None:
        if kinds is None:
            cells = {column.name: column for column in self.table.columns}
            odd = [n for n in cells if any(n in row and row[n] != cells[n].usual(chance(1)) for row in rows)]
            kinds = ", ".join(dict.fromkeys(cells[name].kind for name in odd or cells))
        if any((one.road, one.kinds) == (road, kinds) for one in self.findings):
            return
        script = None
        if self.folder is not None:
            place = self.folder / f"{self.name}-{len(self.findings)}"
            script = self.server.write_script(place, asked)
        self.findings.append(Finding(road, kinds, difference, script))


def _parquet_rows(body: bytes) -> list[dict[str, object]]:
    from arro3.io import read_parquet

    table = read_parquet(io.BytesIO(body)).read_all()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
