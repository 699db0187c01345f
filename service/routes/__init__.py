"""The routes, one file per noun: a file that is not listed here is not served."""

from collections.abc import Iterator

from fastapi import APIRouter

from service.routes import (
    augmented,
    batch_predictions,
    comparison,
    control,
    datasets,
    explanations,
    gradient_checks,
    health,
    hyperparameters,
    inference,
    jobs,
    model_predictions,
    models,
    parameters,
    predictions,
    progress,
    schemas,
    workers,
)
from worker.settings import Settings


def routers(settings: Settings) -> Iterator[tuple[APIRouter, int | None]]:
    """Every router, in the document's order, with the bytes that a body may have."""
    yield model_predictions.router, settings.max_predict_bytes  # what is asked most often stands first
    yield jobs.router, settings.max_body_bytes
    yield inference.router, settings.max_predict_bytes
    yield predictions.router, settings.max_predict_bytes
    for routes in (datasets, parameters):
        yield routes.router, None  # they count what they receive themselves: the limit is the file's
    for routes in (
        augmented,
        control,
        hyperparameters,
        comparison,
        workers,
        progress,
        gradient_checks,
        models,
        batch_predictions,
        explanations,
        schemas,
        health,
    ):
        yield routes.router, settings.max_body_bytes
