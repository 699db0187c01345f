"""Why a registered model answers as it does, and whether it is still asked about what it learned."""

from typing import Annotated

from fastapi import Body

from engine import RowError
from engine.importance import MOST_ANSWERS, permutation_importance
from engine.saliency import saliency
from service.dependencies import BackendDep, ModelName, ResolverDep, SamplesDep, Which
from service.http.problems import Fault, documented, invalid
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.predictions.formats import refused
from service.predictions.resolution import Resolved
from service.views.explanations import DriftView, Explain, Explained
from worker.workspace import Workspace

router = StrictRouter("/v1/models/{name}", "models")

EXAMPLES = {
    "importance": {
        "summary": "What each feature is worth on a dataset",
        "value": {"dataset": "iris", "rows": 1000, "repeats": 5, "seed": 0},
    },
    "gradient": {
        "summary": "How the answer to one row moves with its features",
        "value": {"row": [5.1, 3.5, 1.4, 0.2]},
    },
}


@router.post("/explain", responses=documented(400, 404, 413, 415, 422))
def explain_model(
    name: ModelName,
    which: Which,
    wanted: Annotated[Strict[Explain], Body(openapi_examples=EXAMPLES)],
    backend: BackendDep,
    resolver: ResolverDep,
) -> Explained:
    """What the features are worth on a dataset, by shuffling them; or the gradient of an answer by one row's inputs.

    The importance of features that say the same is shared among them, and each alone may look idle.
    """
    resolved = resolver.look_up(backend, name, which)
    if wanted.row is not None:
        try:
            found = saliency(resolved.model, wanted.row, wanted.output)
        except RowError as error:
            problem = refused(error)
            for fault in problem.faults:
                fault.pointer = "/row" + fault.pointer.removeprefix("/rows/0")
            raise problem from error
        return Explained(model=resolved.name, version=resolved.version, importance=None, gradient=found)
    return importance(resolved, wanted, backend)


@router.get("/drift", responses=documented(404, 409, 422))
def get_drift(name: ModelName, which: Which, backend: BackendDep, samples: SamplesDep) -> DriftView:
    """Whether the requests of the last day look like the training rows: can a logistic regression tell them apart?

    Needs `PUT /v1/models/{name}` with `{"drift": true}`; what came through other API processes counts, a few seconds
    late.
    """
    samples.flush()
    return DriftView.of(backend.models.drift(name, which))


def importance(resolved: Resolved, wanted: Explain, backend: Workspace) -> Explained:
    """Permutation importance, unless it would take too long."""
    table = backend.models.labelled_table(resolved.model, str(wanted.dataset), pointer="/dataset")
    answers = min(wanted.rows, table.rows) * wanted.repeats * len(resolved.model.preprocessor.shapes)
    if answers > MOST_ANSWERS:
        detail = (
            f"{answers} answers (rows x repeats x features) are more than the {MOST_ANSWERS} allowed; lower rows or "
            "repeats"
        )
        raise invalid([Fault(pointer="/rows", part="body", detail=detail)])
    found = permutation_importance(resolved.model, table, rows=wanted.rows, repeats=wanted.repeats, seed=wanted.seed)
    return Explained(model=resolved.name, version=resolved.version, importance=found, gradient=None)
