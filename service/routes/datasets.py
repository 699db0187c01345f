"""Datasets: tables to learn from."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from engine.data.checks import DataReport
from engine.data.formats import packed
from engine.data.formats.column_names import MAX_NAME
from engine.data.formats.formats import FORMATS
from engine.data.formats.images.image_zip_format import SIZE
from engine.data.formats.images.picture_reading import WHITE
from engine.data.splits import Split
from service.dependencies import After, BackendDep, Limit, Name, Reference
from service.http import uploads
from service.http.csv_query import csv_options
from service.http.fields import Selection, fields_of
from service.http.idempotency import Idempotent
from service.http.listing import Listing
from service.http.problems import documented
from service.http.query_json import asked_in_query, read_query
from service.http.routing import StrictRouter
from service.views.datasets import DatasetUsageView, DatasetView
from service.views.view import Object

router = StrictRouter("/v1/datasets", "datasets", uploads.UploadRoute)

TABLES = uploads.Kinds(
    media_types=(*(media_type for known in FORMATS for media_type in known.media_types), *packed.GZIP_TYPES),
    endings={ending: kind for known in FORMATS for ending, kind in known.endings.items()} | dict(packed.ENDINGS),
)

ImageSize = Annotated[
    str | None,
    Query(
        pattern=SIZE,
        max_length=9,
        description="width x height that all images of a zip are brought to",
        examples=["28x28"],
    ),
]
ImageMode = Annotated[
    Literal["auto", "grayscale", "color"] | None,
    Query(description="what the images of a zip become; auto: color where one of them is in color"),
]
White = Annotated[
    int | None,
    Query(
        ge=1,
        le=WHITE,
        description="the value that is white in images of 16 bits, such as 4095 where they use 12; else the greatest",
    ),
]
OneHot = Annotated[
    bool | None,
    Query(description="whether the rows of an NPZ's `y` are one-hot, and so classes; else where all look like it"),
]
Sheet = Annotated[
    str | None,
    Query(description="the sheet of a workbook to read; else the first one that has cells", max_length=255),
]


DatasetFields = Annotated[Selection, Depends(fields_of(DatasetView))]


class SplitQuery(BaseModel):
    """The query parameter `split`, once it is read."""

    split: Split


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses={
        200: {"model": DatasetView, "description": "The newest version of this name has this very content"},
        **documented(400, 409, 413, 415, 422, 507),
    },
    openapi_extra=uploads.body(
        TABLES,
        "CSV: a header row, then rows. JSON: a list of flat objects, one a line, or as pandas writes it. Excel: a "
        "sheet with a header row. NPZ: `x_train y_train [x_dev y_dev] [x_test y_test]`, or `x y`; images keep their "
        "shape, the target column is `label`. Zip: images (PNG, JPEG, WebP, BMP, GIF, TIFF) in a folder for each "
        "class, perhaps in folders `train`, `dev`, `test`; columns `x`, `label`.",
    ),
)
async def upload_dataset(
    request: Request,
    response: Response,
    backend: BackendDep,
    csv: Annotated[dict[str, str], Depends(csv_options)],
    name: Name,
    size: ImageSize = None,
    mode: ImageMode = None,
    white: White = None,
    one_hot: OneHot = None,
    sheet: Sheet = None,
) -> DatasetView:
    """Upload a dataset: a file whose media type says which format it has, as the raw body or in a form.

    Other content under a name that is there becomes the name's next version: the name means the newest, `name@2` the
    second, and jobs go on with the one that they were submitted with.
    """
    asked = {"size": size, "mode": mode, "white": white, "one_hot": one_hot, "sheet": sheet}
    options = {option: str(value) for option, value in asked.items() if value is not None} | csv
    record, created = await uploads.received(
        request, backend, TABLES, lambda media_type, file: backend.datasets.add(name, media_type, file, options)
    )
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/v1/datasets/{record.id}"
    return DatasetView.of(record)


@router.get("", response_model=Listing[DatasetView], responses=documented(422))
def list_datasets(
    backend: BackendDep,
    fields: DatasetFields,
    limit: Limit = 20,
    after: After = None,
    name: Annotated[str | None, Query(description="only the versions of this name", max_length=64)] = None,
) -> Listing[DatasetView] | Response:
    """List datasets, newest first."""
    return fields.answer(Listing[DatasetView].of(backend.datasets.page(limit=limit, after=after, name=name)))


@router.get("/{dataset}", response_model=DatasetView, responses=documented(404, 422))
def get_dataset(dataset: Reference, backend: BackendDep, fields: DatasetFields) -> DatasetView | Response:
    """A dataset by id, name or `name@version`, with a summary of every column; sample sets have names too."""
    return fields.answer(DatasetView.of(backend.datasets.find(dataset)))


@router.get("/{dataset}/preview", responses=documented(404, 422))
def preview_dataset(
    dataset: Reference, backend: BackendDep, limit: Annotated[int, Query(ge=1, le=100, description="rows")] = 10
) -> Object:
    """The first rows; and for every column its type, what is missing, and a little histogram over all rows."""
    return backend.datasets.preview(dataset, limit=limit)


@router.get("/{dataset}/checks", responses=documented(404, 422))
def check_dataset(
    dataset: Reference,
    backend: BackendDep,
    target: Annotated[str | None, Query(description="the column to predict", min_length=1, max_length=MAX_NAME)] = None,
    split: Annotated[
        str | None, Query(description="as `data.split` of a job, in JSON; by default 60/20/20", max_length=2048)
    ] = None,
) -> DataReport:
    """What may be wrong with the data and its split, on samples where it is large.

    Class balance, idle columns, columns that give the target away, repeated and leaked rows, and whether train and dev
    come from one distribution. Without a target, what needs none.
    """
    wanted = None if split is None else read_query(SplitQuery, "split", split).split
    with asked_in_query():
        return backend.datasets.report(dataset, target=target, split=wanted)


@router.get("/{dataset}/usage", responses=documented(404, 422))
def get_dataset_usage(dataset: Reference, backend: BackendDep) -> DatasetUsageView:
    """What a dataset takes up, and the jobs and models that were made of it."""
    return DatasetUsageView.of(backend.datasets.usage(dataset))


@router.delete("/{dataset}", status_code=204, responses=documented(404, 409, 422, 507))
def delete_dataset(dataset: Reference, backend: BackendDep) -> None:
    """Delete a dataset that no queued or running job needs; by a name, its newest version."""
    backend.datasets.delete(dataset)
