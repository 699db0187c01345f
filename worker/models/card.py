"""The card of a model version: what it learned from, how well it does, and where it should not be trusted.

Made when the version is registered, so that it outlives the job and its data.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from engine import JobSpec, Model
from engine.diagnosis import diagnose
from engine.serving import Serving
from worker.domain.datasets import DatasetRecord
from worker.domain.jobs import Job

if TYPE_CHECKING:
    from jinja2 import Template

PARTS = ("train", "dev", "test")
SHOWN_FEATURES = 200
LENIENT = Serving()
FEW_EXAMPLES = 100
Object = Mapping[str, JsonValue]


def card_of(
    name: str,
    job: Job,
    spec: JobSpec,
    model: Model,
    result: Object | None,
    datasets: Mapping[str, DatasetRecord | None],
    reports: Sequence[Object],
    warnings: Sequence[Object],
) -> dict[str, JsonValue]:
    """What is to be known about a model of this job; `result` is None for a checkpoint that was not measured."""
    network, preprocessor = model.network, model.preprocessor
    diagnosis = None if result is None else diagnose(spec, dict(result), warnings).model_dump(mode="json")
    if diagnosis is not None:
        del diagnosis["next_steps"]  # advice for whoever trains on, with whole specs in it
    features = _features(model, datasets.get(spec.data.train))
    seconds = None
    if job.started_at is not None and job.finished_at is not None:
        seconds = (job.finished_at - job.started_at).total_seconds()
    card: dict[str, JsonValue] = {
        "name": name,
        "task": {
            "target": preprocessor.target.name,
            "kind": network.target.kind,
            "classes": list(preprocessor.classes),
            "outputs": network.n_out,
            "loss": network.loss.model_dump(mode="json"),
        },
        "data": {
            "datasets": [_dataset(reference, record) for reference, record in datasets.items()],
            "data_hash": job.data_hash,
            "features": features[:SHOWN_FEATURES],
            "feature_count": len(features),
        },
        "split": {"how": spec.data.split.model_dump(mode="json"), "examples": _examples(result)},
        "network": {
            "layers": [layer.model_dump(mode="json") for layer in network.layers],
            "inputs": network.n_in,
            "parameters": network.parameter_count,
            "precision": spec.precision,
        },
        "training": {
            "job": job.id,
            "job_name": job.name,
            "seed": job.seed,
            "epochs": job.epoch,
            "stop_reason": job.stop_reason,
            "seconds": seconds,
            "warnings": [dict(warning) for warning in warnings],
        },
        "result": None if result is None else dict(result),
        "gradient_checks": [
            {key: report[key] for key in ("at", "difference", "verdict", "checked") if key in report}
            for report in reports
        ],
        "diagnosis": diagnosis,
    }
    card["limits"] = list(_limits(card, model, result))
    return card


def markdown(card: Object, version: int, aliases: Sequence[str], serving: Serving = LENIENT) -> str:
    """The card for people, by the template beside this file."""
    result = card["result"] if isinstance(card["result"], dict) else {}
    parts = {part: report for part in PARTS if isinstance(report := result.get(part), dict)}
    return _template().render(
        card=card,
        version=version,
        aliases=aliases,
        serving=serving,
        parts=parts,
        measures=_measures(list(parts.values())),
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only here: a worker makes cards, and shows none

    environment = Environment(  # noqa: S701 - Markdown, where &lt; would be shown as such: the filter `cell` escapes
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": _cell, "number": _number}
    return environment.get_template("card.md.jinja")


def _dataset(reference: str, record: DatasetRecord | None) -> dict[str, JsonValue]:
    if record is None:  # deleted since the job was trained
        return {"reference": reference, "id": None, "name": None, "version": None, "rows": None, "sha256": None}
    return {
        "reference": reference,
        "id": record.id,
        "name": record.name,
        "version": record.version,
        "rows": record.rows,
        "sha256": record.sha256,
    }


def _features(model: Model, record: DatasetRecord | None) -> list[JsonValue]:
    """Name, kind and, as the dataset has them, the range or the labels of every feature."""
    columns = record.summary["columns"] if record is not None else []
    known = {column["name"]: column for column in columns if isinstance(column, dict)} if columns else {}  # type: ignore[union-attr]
    found: list[JsonValue] = []
    for encoder in model.preprocessor.encoders:
        feature: dict[str, JsonValue] = {"name": encoder.name, "kind": encoder.type}
        if encoder.shape:
            feature["shape"] = list(encoder.shape)
        if encoder.type in ("one_hot", "ordinal"):
            feature["labels"] = list(encoder.labels)
        column = known.get(encoder.name, {})
        for key in ("min", "max"):
            if isinstance(column.get(key), int | float):
                feature[key] = column[key]
        feature["may_be_missing"] = encoder.indicator
        found.append(feature)
    return found


def _examples(result: Object | None) -> dict[str, JsonValue]:
    parts = {} if result is None else {part: result.get(part) for part in PARTS}
    return {part: report["examples"] for part, report in parts.items() if isinstance(report, dict)}


def _limits(card: Object, model: Model, result: Object | None) -> Iterator[str]:
    """Sentences that follow from the numbers; what a model is good for beyond them, nobody but its owner knows."""
    kind = model.network.target.kind
    if result is None:
        yield "This is a checkpoint; it was not measured on its own."
    else:
        measured = result.get("test", result.get("dev"))
        part = "test" if "test" in result else "dev"
        if not isinstance(measured, dict):
            yield "It was measured on its training rows alone, which says nothing about new ones."
        else:
            counted = measured["examples"]
            examples = counted if isinstance(counted, int) else 0
            error = measured.get("error")
            if isinstance(error, int | float):
                noise = 1.96 * sqrt(max(error * (1 - error), 0.0) / max(1, examples))
                yield (
                    f"The {part} error of {error:.2%} rests on {examples} examples: ± {noise:.2%} in 95 of 100 cases."
                )
            if examples < FEW_EXAMPLES:
                yield f"{examples} {part} examples are few; measure it on more before you rely on it."
            if part == "dev":
                yield "There was no test set, and what was chosen on dev looks better there than it is."
    if kind == "classes":
        classes = model.preprocessor.classes
        yield f"It knows {len(classes)} classes and answers with one of them, whatever it is shown."
    ranges = [encoder.name for encoder in model.preprocessor.encoders if encoder.type == "number"]
    if ranges or any(encoder.shape for encoder in model.preprocessor.encoders):
        yield "Outside the ranges of its training data it extrapolates; no answer says that it does."
    if any(encoder.type == "one_hot" for encoder in model.preprocessor.encoders):
        yield "A category that was not in the training rows is taken for unseen, one like any other."
    closed = [encoder.name for encoder in model.preprocessor.encoders if not encoder.indicator and not encoder.shape]
    if closed:
        yield "Features that no training row lacked may not be missing; such a row is refused."
    diagnosis = card["diagnosis"]
    if isinstance(diagnosis, dict) and "high" in str(diagnosis["verdict"]):
        yield f"Diagnosis: {diagnosis['verdict']}."
    checks = card["gradient_checks"]
    if not checks:
        yield "Its gradients were never checked."
    elif isinstance(checks, list) and any(
        isinstance(check, dict) and check["verdict"] in ("suspect", "wrong") for check in checks
    ):
        yield "A gradient check found its gradients suspect or wrong."


def _measures(reports: Sequence[Object]) -> list[str]:
    """What is a number in every report that has it."""
    return [
        key
        for key in dict.fromkeys(key for report in reports for key in report)
        if all(isinstance(report.get(key), int | float | None) for report in reports)
    ]


def _number(value: JsonValue) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _cell(value: JsonValue) -> str:
    """Text that can neither end a cell nor begin markup."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    for character in "\\`*_|<>[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
