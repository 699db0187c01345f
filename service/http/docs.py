"""The page at /docs and the OpenAPI document behind it; everything comes from this process."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from service.http import openapi
from service.http.etags import unless_unchanged

ASSETS = "/docs/assets"

DESCRIPTION = """\
A training job goes in as JSON, and comes out as curves, a verdict on its gradients, and a model that
predicts.

The smallest job is `{"data": {"train": "digits", "target": "label"}}`: send it to `POST /v1/jobs`, follow
`GET /v1/jobs/{job_id}/stream` until its last event, `done`, and ask `POST /v1/jobs/{job_id}/predict`.

Every error is a problem (RFC 9457) whose `errors` point to each place in the request. Lists are newest first
and are paged by `limit` and `after`. Of jobs, datasets and models `fields=id,name` leaves out all else. What is
polled has an `ETag`; send it back as `If-None-Match` and be answered 304.
"""


TAGS = [
    {"name": "datasets", "description": "tables to learn from"},
    {"name": "parameters", "description": "initial weights to start from"},
    {"name": "jobs", "description": "trainings: submit, follow, compare"},
    {"name": "control", "description": "pause, resume, stop, cancel; change hyper-parameters; train again"},
    {"name": "progress", "description": "learning curves, events, layers, gradient checks and diagnosis of a job"},
    {"name": "predictions", "description": "answers of a job's model"},
    {"name": "models", "description": "registered models: versions, aliases, predictions at scale"},
    {"name": "inference", "description": "the Open Inference Protocol v2: KServe's, Triton's, MLServer's clients"},
    {"name": "specs", "description": "what a job may be, and a gallery of jobs"},
    {"name": "service", "description": "where things are, and whether they work"},
]


class DocumentedApi(FastAPI):
    """A FastAPI whose document generators take."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.made_for_generators(super().openapi(), self.state.settings)
        return super().openapi()

    def setup(self) -> None:
        """Serve the document, from a thread: to make it takes most of a second, and nobody else would be answered."""

        def document(request: Request) -> Response:
            root_path = request.scope["root_path"]
            servers = {"servers": [{"url": root_path}]} if root_path else {}
            return unless_unchanged(request, JSONResponse({**self.openapi(), **servers}))

        self.add_route("/openapi.json", document, include_in_schema=False)


def install(app: FastAPI) -> None:
    """Serve the page and its two files."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",  # relative: a proxy may show the page under a path that nobody told us
            title="trainshed",
            swagger_js_url=f"{ASSETS[1:]}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS[1:]}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS[1:]}/favicon-32x32.png",
            swagger_ui_parameters={
                "validatorUrl": None,
                "docExpansion": "list",
                "defaultModelsExpandDepth": 0,
            },
        )
