"""Batch predictions: a model's answers to a dataset, some rows at a time, into a file."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import JsonValue

from engine import DataError, load
from engine.answer_columns import Columns, answer_columns, mark_columns
from engine.answer_files import write_answers
from engine.kept_columns import column_writers, kept_columns
from engine.table_answers import answers_of, survey
from worker.datasets.library import DatasetLibrary
from worker.domain.batch_predictions import BatchPrediction
from worker.domain.work_items import WorkItem
from worker.errors import StoreUnavailable, WorkerError
from worker.storage.artifacts import room
from worker.store import PREDICT_BATCH
from worker.work.context import Context
from worker.work.kind import Kind, Running

Result = dict[str, JsonValue]
"""`file`, relative to the artifacts' root, `sha256` and `bytes`."""


class PredictBatch(Kind[Result]):
    """Predicts a whole dataset with a version of a registered model."""

    name: ClassVar[str] = PREDICT_BATCH
    what: ClassVar[str] = "batch prediction"

    def run(self, item: WorkItem, context: Context) -> Running[Result]:
        batch = context.store.batch_predictions.get(item.id)
        file = f"predictions/{batch.id}-{item.attempt}.{batch.format}"
        yield None
        with context.artifacts.unfinished() as path:
            with room():
                write_answers(path, batch.format, _answers(batch, context))
            size = path.stat().st_size
            context.heed()
            return {"file": file, "sha256": context.artifacts.keep(path, file), "bytes": size}

    def discard(self, outcome: Result, context: Context) -> None:
        file = str(outcome["file"])
        try:
            known = context.store.batch_predictions.get(context.claim.item_id).file == file
        except StoreUnavailable:  # nobody can say: it stays
            return
        except WorkerError:  # deleted
            known = False
        if not known:
            context.artifacts.discard(file)


def _answers(batch: BatchPrediction, context: Context) -> Iterator[Columns]:
    """The answers in blocks, and now and then a word about how far they are."""
    version = context.store.models.version(batch.name, batch.version)
    model = load(context.artifacts.verified(version.file, version.sha256))
    table = DatasetLibrary(context.store, context.artifacts, context.settings).load(batch.dataset_id).pooled
    kinds, done = survey(model, table).kinds, 0
    writers = column_writers(table, batch.keep)
    for answers, marks in answers_of(model, table):
        context.heed()
        if version.strict and marks.filled:
            row, (name, *_) = min(marks.filled.items())
            raise DataError(f"row {done + row} lacks {name!r}, and version {version.version} of the model is strict")
        kept = kept_columns(writers, table, slice(done, done + len(answers)))
        said = mark_columns(marks, len(answers), kinds)
        yield kept | answer_columns(model, answers, threshold=batch.threshold) | said
        done += len(answers)
        context.report({"rows": done})
