"""Registered models: names, versions that never change, and the aliases that say which one is meant."""

from contextlib import ExitStack
from typing import Annotated, Literal

from fastapi import Depends, Header, Path, Query, Response

from engine import JobSpec
from engine.names import LONGEST
from engine.serving import Serving
from service.dependencies import ALIAS, NAME, AliasName, BackendDep, Limit, ModelName, ResolverDep, Which, Who
from service.http import downloads
from service.http.downloads import Download
from service.http.fields import Selection, fields_of
from service.http.idempotency import Idempotent
from service.http.listing import Listing
from service.http.negotiation import preferred
from service.http.openapi import TEXT
from service.http.problems import Responses, documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.views.models import (
    AliasChangeView,
    AliasTarget,
    AliasView,
    ModelCard,
    ModelSettings,
    ModelVersionView,
    ModelView,
    NewVersion,
    ServingChange,
)
from worker.domain.models import ModelVersion
from worker.domain.paging import Page
from worker.models.card import markdown
from worker.models.registry import ModelFormat
from worker.workspace import Workspace

router = StrictRouter("/v1/models", "models")

MEDIA_TYPES = {
    "safetensors": "application/vnd.safetensors",
    "npz": "application/x-npz",
    "onnx": "application/onnx",
}

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="number of a version")]
NewAlias = Annotated[
    str,
    Path(
        pattern=str(ALIAS["pattern"]),
        max_length=LONGEST,
        description="a letter, then letters, digits, `_`, `-` or `.`; at most 64 in all",
    ),
]
NewName = Annotated[
    str,
    Path(
        pattern=str(NAME["pattern"]),
        max_length=LONGEST,
        description="a letter or digit, then letters, digits, `_`, `-` or `.`; at most 64 in all",
    ),
]
Before = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="number of the last entry of the page before")]
Format = Annotated[
    ModelFormat,
    Query(description="safetensors for `trainshed.engine.load`, plain NPZ, or ONNX with the preprocessing in it"),
]
CardFormat = Annotated[Literal["json", "markdown"] | None, Query(description="overrides the Accept header")]
Accept = Annotated[str, Header(include_in_schema=False)]
ModelFields = Annotated[Selection, Depends(fields_of(ModelView))]
VersionFields = Annotated[Selection, Depends(fields_of(ModelVersionView, spec=JobSpec))]

FILE = downloads.described(MEDIA_TYPES.values(), 404, 422, 507)
MARKDOWN = "text/markdown"
CARD: Responses = {200: {"content": {MARKDOWN: {"schema": TEXT}}}}


@router.get("", response_model=Listing[ModelView], responses=documented(422))
def list_models(
    backend: BackendDep,
    fields: ModelFields,
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=64, description="name of the last entry of the page before")] = None,
) -> Listing[ModelView] | Response:
    """List registered models by name."""
    return fields.answer(Listing[ModelView].of(backend.models.page(limit=limit, after=after)))


@router.get("/{name}", response_model=ModelView, responses=documented(404, 422))
def get_model(name: ModelName, backend: BackendDep, fields: ModelFields) -> ModelView | Response:
    """A registered model: how many versions it has, and what its aliases mean."""
    return fields.answer(ModelView.of(backend.models.get(name)))


@router.put("/{name}", responses=documented(400, 404, 413, 415, 422, 507))
def change_model(name: ModelName, settings: Strict[ModelSettings], backend: BackendDep) -> ModelView:
    """Have the features of requests sampled for `GET …/drift`, or no longer."""
    return ModelView.of(backend.models.sample_features(name, settings.drift))


# versions


@router.post(
    "/{name}/versions",
    status_code=201,
    dependencies=[Idempotent],
    responses={
        200: {"model": ModelVersionView, "description": "The job was registered under this name before"},
        **documented(400, 404, 409, 413, 415, 422, 507),
    },
)
def register_version(
    name: NewName,
    wanted: Strict[NewVersion],
    response: Response,
    backend: BackendDep,
    resolver: ResolverDep,
) -> ModelVersionView:
    """Make the model of a job that has succeeded the next version of a name; the first one makes the name, too."""
    version, created = backend.models.register(name, wanted.job, wanted.checkpoint, wanted.serving())
    resolver.refresh(backend, name)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/v1/models/{name}/versions/{version.version}"
    return ModelVersionView.of(version)


@router.get("/{name}/versions", response_model=Listing[ModelVersionView], responses=documented(404, 422))
def list_versions(
    name: ModelName, backend: BackendDep, fields: VersionFields, limit: Limit = 20, after: Before = None
) -> Listing[ModelVersionView] | Response:
    """List a model's versions, newest first."""
    page = backend.models.versions(name, limit=limit, after=after)
    return fields.answer(Listing[ModelVersionView].of(page))


@router.get("/{name}/versions/{version}", response_model=ModelVersionView, responses=documented(404, 422))
def get_version(
    name: ModelName, version: Number, backend: BackendDep, fields: VersionFields
) -> ModelVersionView | Response:
    """A version: its spec, the hash of its data, its metrics and what it was trained with."""
    return fields.answer(ModelVersionView.of(backend.models.version(name, version)))


@router.patch("/{name}/versions/{version}", responses=documented(400, 404, 413, 415, 422, 507))
def change_version(
    name: ModelName, version: Number, change: Strict[ServingChange], backend: BackendDep, resolver: ResolverDep
) -> ModelVersionView:
    """Change how a version answers, from the next request on: whether it is strict, and its decision threshold."""
    changed = backend.models.change_serving(name, version, change.changes())
    resolver.refresh(backend, name)
    return ModelVersionView.of(changed)


@router.delete("/{name}/versions/{version}", status_code=204, responses=documented(404, 409, 422, 507))
def delete_version(name: ModelName, version: Number, backend: BackendDep) -> None:
    """Delete a version that no alias means and no batch prediction is being made with."""
    backend.models.delete_version(name, version)


@router.get("/{name}/versions/{version}/artifact", **FILE)
def download_version(name: ModelName, version: Number, backend: BackendDep, format: Format = "safetensors") -> Download:
    """The model as a file: safetensors for `trainshed.engine.load`, plain NPZ, or ONNX with the preprocessing in it."""
    return download(backend, backend.models.version(name, version), format)


@router.get("/{name}/artifact", **FILE)
def download_model(name: ModelName, which: Which, backend: BackendDep, format: Format = "safetensors") -> Download:
    """The same of the version that is meant: by `alias`, by `version`, or the newest."""
    return download(backend, backend.models.version(name, which), format)


@router.get("/{name}/versions/{version}/card", response_model=ModelCard, responses={**CARD, **documented(404, 422)})
def get_version_card(
    name: ModelName, version: Number, backend: BackendDep, format: CardFormat = None, accept: Accept = ""
) -> Response | ModelCard:
    """What the version learned from, how well it does and where not to trust it, as JSON or Markdown."""
    return card(backend.models.version(name, version), format, accept)


@router.get("/{name}/card", response_model=ModelCard, responses={**CARD, **documented(404, 422)})
def get_model_card(
    name: ModelName, which: Which, backend: BackendDep, format: CardFormat = None, accept: Accept = ""
) -> Response | ModelCard:
    """The same of the version that is meant: by `alias`, by `version`, or the newest."""
    return card(backend.models.version(name, which), format, accept)


# aliases


@router.get("/{name}/aliases", responses=documented(404, 422))
def list_aliases(name: ModelName, backend: BackendDep) -> Listing[AliasView]:
    """What every alias of a model means now."""
    return Listing[AliasView].of(Page(backend.models.aliases(name), has_more=False))


@router.get("/{name}/aliases/{alias}", responses=documented(404, 422))
def get_alias(name: ModelName, alias: AliasName, backend: BackendDep) -> AliasView:
    """What an alias means now."""
    return AliasView.of(backend.models.alias(name, alias))


@router.put("/{name}/aliases/{alias}", responses=documented(400, 404, 413, 415, 422, 507))
def set_alias(
    name: ModelName,
    alias: NewAlias,
    target: Strict[AliasTarget],
    backend: BackendDep,
    resolver: ResolverDep,
    who: Who,
) -> AliasView:
    """Have an alias mean another version: at once, with no request lost.

    The version is loaded first. Every API process answers with it from now on.
    """
    resolver.warm(backend, backend.models.version(name, target.version, pointer="/version"))
    changed = backend.models.set_alias(name, alias, target.version, who)
    resolver.refresh(backend, name)
    return AliasView.of(changed)


@router.delete("/{name}/aliases/{alias}", status_code=204, responses=documented(404, 422, 507))
def delete_alias(name: ModelName, alias: AliasName, backend: BackendDep, who: Who) -> None:
    """Delete an alias; its history stays."""
    backend.models.remove_alias(name, alias, who)


@router.post("/{name}/aliases/{alias}/rollback", responses=documented(404, 409, 422, 507))
def roll_back_alias(
    name: ModelName, alias: AliasName, backend: BackendDep, resolver: ResolverDep, who: Who
) -> AliasView:
    """Have an alias mean what it meant before; once more goes back once more."""
    changed = backend.models.roll_back_alias(name, alias, who)
    resolver.refresh(backend, name)
    return AliasView.of(changed)


@router.get("/{name}/aliases/{alias}/history", responses=documented(404, 422))
def list_alias_changes(
    name: ModelName, alias: AliasName, backend: BackendDep, limit: Limit = 20, after: Before = None
) -> Listing[AliasChangeView]:
    """Every change of an alias, newest first; also of one that was deleted."""
    return Listing[AliasChangeView].of(backend.models.alias_history(name, alias, limit=limit, after=after))


def download(backend: Workspace, version: ModelVersion, format: ModelFormat) -> Download:
    """A version's file in one of its formats; what is made for this answer is removed behind it."""
    stack = ExitStack()
    path, sha256 = stack.enter_context(backend.models.artifact(version, format))
    return Download(
        str(path),
        sha256=sha256,
        media_type=MEDIA_TYPES[format],
        filename=f"{version.name}-{version.version}.{format}",
        model=f"{version.name}@{version.version}",
        done=stack.close,
    )


def card(version: ModelVersion, format: str | None, accept: str) -> Response | ModelCard:
    """A version's card in the format that is asked for."""
    if format is None:
        format = "markdown" if preferred(accept, ("application/json", MARKDOWN)) == MARKDOWN else "json"
    if format == "markdown":
        serving = Serving(strict=version.strict, threshold=version.threshold)
        return Response(markdown(version.card, version.version, version.aliases, serving), media_type=MARKDOWN)
    return ModelCard.of(version)
