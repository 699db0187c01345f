"""What augmentations do to a dataset's images, to be looked at before a job is sent."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import BaseModel, Field

from engine.data.augmentation.augmentations import AnyAugmentation
from service.dependencies import BackendDep, Reference
from service.http.openapi import BINARY
from service.http.problems import documented
from service.http.query_json import asked_in_query, read_query
from service.http.routing import StrictRouter

router = StrictRouter("/v1/datasets", "datasets")

USUAL = '[{"type": "shift"}, {"type": "rotate"}, {"type": "elastic"}]'


class SpecQuery(BaseModel):
    """The query parameter `spec`, once it is read."""

    spec: Annotated[tuple[AnyAugmentation, ...], Field(max_length=16)]


@router.get(
    "/{dataset}/augmented",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": BINARY}}, "description": "The sheet"}, **documented(404, 422)},
)
def preview_augmentation(
    dataset: Reference,
    backend: BackendDep,
    spec: Annotated[str, Query(description="as `data.augment` of a job, a list in JSON", max_length=8192)] = USUAL,
    rows: Annotated[int, Query(ge=1, le=32, description="images, one below the other")] = 8,
    draws: Annotated[int, Query(ge=1, le=16, description="what so many epochs would see, side by side")] = 8,
    seed: Annotated[int, Query(ge=0, le=2**63 - 1, description="as of a job")] = 0,
) -> Response:
    """A PNG sheet: a dataset's first images at the left, and beside each what augmentations make of it.

    What mixup blends are images of the sheet.
    """
    wanted = read_query(SpecQuery, "spec", spec).spec
    with asked_in_query():
        sheet = backend.datasets.augmented(dataset, wanted, rows=rows, draws=draws, seed=seed, pointer="/spec")
    return Response(sheet, media_type="image/png")
