"""What routes ask for by type."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic.config import JsonDict

import engine.names
from engine.names import LONGEST
from service.http.authentication import who
from service.http.long_polls import Watchers
from service.http.problems import Fault, RequestRefused, invalid
from service.http.workspace import backend_of, whole_backend_of
from service.predictions.feature_samples import FeatureSamples
from service.predictions.pipeline import PredictionPipeline
from service.predictions.resolution import Resolver
from service.views.job_lists import JobLists
from worker.backend import Backend
from worker.domain import names
from worker.domain.ids import Prefix, id_pattern
from worker.domain.jobs import Job
from worker.workspace import Workspace


def watchers_of(request: Request) -> Watchers:
    watchers: Watchers = request.app.state.watchers
    return watchers


def resolver_of(request: Request) -> Resolver:
    resolver: Resolver = request.app.state.resolver
    return resolver


def pipeline_of(request: Request) -> PredictionPipeline:
    pipeline: PredictionPipeline = request.app.state.pipeline
    return pipeline


def job_lists_of(request: Request) -> JobLists:
    lists: JobLists = request.app.state.job_lists
    return lists


def samples_of(request: Request) -> FeatureSamples:
    samples: FeatureSamples = request.app.state.samples
    return samples


BackendDep = Annotated[Workspace, Depends(backend_of)]
WholeBackendDep = Annotated[Backend, Depends(whole_backend_of)]
Who = Annotated[str, Depends(who)]
WatchersDep = Annotated[Watchers, Depends(watchers_of)]
ResolverDep = Annotated[Resolver, Depends(resolver_of)]
JobListsDep = Annotated[JobLists, Depends(job_lists_of)]
SamplesDep = Annotated[FeatureSamples, Depends(samples_of)]


def free_watchers_of(watchers: WatchersDep) -> Watchers:
    """For a stream, which cannot do without its place."""
    if watchers.full:
        raise RequestRefused(
            503,
            "too_many_streams",
            "Too many streams are open",
            f"{watchers.count} streams and long polls are open, which is the most allowed; try again later",
        )
    return watchers


FreeWatchers = Annotated[Watchers, Depends(free_watchers_of)]

# How an id or a name looks is told and not asked for: there is none that looks otherwise, which is 404 and not 422.
NAME: JsonDict = {"pattern": f"^{engine.names.NAME}$", "maxLength": LONGEST}
ALIAS: JsonDict = {"pattern": f"^{names.ALIAS}$", "maxLength": LONGEST}
REFERENCE: JsonDict = {"pattern": f"^{names.REFERENCE}$", "maxLength": LONGEST + len("@123456789")}


def looks_like(prefix: Prefix) -> JsonDict:
    """How an id is told to look."""
    return {"pattern": f"^{id_pattern(prefix)}$", "maxLength": len(prefix) + len("_") + 32}


JobId = Annotated[
    str,
    Path(
        description="id of a job, as `POST /v1/jobs` gave it",
        json_schema_extra=looks_like("job"),
    ),
]


def existing_job(job_id: JobId, backend: BackendDep) -> Job:
    """The job that the path names; asked before a stream starts, when the status can still say 404."""
    return backend.jobs.get(job_id)


ExistingJob = Annotated[Job, Depends(existing_job)]
Reference = Annotated[str, Path(description="an id or a name", json_schema_extra=REFERENCE)]

ModelName = Annotated[str, Path(description="name of a registered model", json_schema_extra=NAME)]
AliasName = Annotated[str, Path(description="name of an alias", json_schema_extra=ALIAS)]


AliasQuery = Annotated[str | None, Query(max_length=64, description="the version that this alias means")]
VersionQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="this version; without either the newest")]


def meant(alias: str | None, version: int | None) -> int | str | None:
    """The version that a request means; None: the newest."""
    if alias is not None and version is not None:
        fault = Fault(pointer="/alias", part="query", detail="stands beside version; name one of them")
        raise invalid([fault], detail=fault.detail)
    return version if alias is None else alias


async def which(alias: AliasQuery = None, version: VersionQuery = None) -> int | str | None:
    """The same as a dependency."""
    return meant(alias, version)


Which = Annotated[int | str | None, Depends(which)]


Limit = Annotated[int, Query(description="entries of the page", ge=1)]
After = Annotated[str | None, Query(description="id of the last entry of the page before", max_length=64)]
Name = Annotated[
    str,
    Query(
        description="what jobs call it by",
        min_length=1,
        max_length=LONGEST,
        json_schema_extra={"pattern": NAME["pattern"]},
    ),
]
