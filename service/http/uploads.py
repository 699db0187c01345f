"""Files on their way to disk, as a raw body or in a form: a chunk at a time, so that none is in memory as a whole."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.responses import Response

from service.http.forms import FILE, FORM, MOST_BESIDE, FormReader, add
from service.http.media_types import essence, unsupported
from service.http.openapi import BINARY, request_body
from service.http.routing import StrictRoute, dependants, query_names
from service.http.workspace import backend_of
from worker.errors import UploadTooLarge
from worker.storage.uploads import Upload
from worker.workspace import Workspace

Stored = TypeVar("Stored")

CHUNK = 1024 * 1024  # bytes gathered before a thread is asked to write them

SEND = (
    "Send the file as the body, with its type: curl -H 'Content-Type: text/csv' --data-binary @data.csv; or as a form: "
    "curl -F file=@data.csv"
)

VAGUE = (
    "",
    "application/octet-stream",
    "text/plain",
    "application/vnd.ms-excel",  # what browsers on Windows say of CSV
    "application/x-zip-compressed",
)
"""Media types that say less than the ending of a file's name."""


@dataclass(frozen=True)
class Kinds:
    """The files that a route takes: their media types, and the one that each ending of a name stands for."""

    media_types: tuple[str, ...]
    endings: Mapping[str, str]


@dataclass(frozen=True)
class ReceivedForm:
    """A form whose file is on disk."""

    upload: Upload
    media_type: str  # as the part says
    charset: str | None
    filename: str
    fields: Mapping[str, str]


async def received(
    request: Request, backend: Workspace, kinds: Kinds, store: Callable[[str, Upload], Stored]
) -> Stored:
    """What `store(content_type, upload)` makes of the file.

    Of a raw body, another media type and one that says it is too large are refused before the first byte is read.
    """
    form: ReceivedForm | None = getattr(request.state, "form", None)
    if form is not None:
        return await run_in_threadpool(store, type_of(form, kinds), form.upload)
    content_type = request.headers.get("content-type", "")
    if essence(content_type) not in kinds.media_types:
        raise unsupported(essence(content_type), kinds.media_types, SEND)
    async with receiving(request, backend, request.stream()) as upload:
        return await run_in_threadpool(store, content_type, upload)


def type_of(form: ReceivedForm, kinds: Kinds) -> str:
    """The media type of a form's file: as its part says, or, where that says little, as its name's ending does."""
    ending = PurePosixPath(form.filename).suffix.lower()
    if form.media_type in VAGUE and ending in kinds.endings:
        return kinds.endings[ending]
    if form.media_type in kinds.media_types:
        return form.media_type if form.charset is None else f"{form.media_type}; charset={form.charset}"
    known = ", ".join(kinds.endings)
    hint = f"Or name the file with an ending that tells it ({known}); curl -F 'file=@data;type={kinds.media_types[0]}'"
    raise unsupported(form.media_type, kinds.media_types, f"{hint} states the type")


@asynccontextmanager
async def receiving(
    request: Request, backend: Workspace, pieces: AsyncIterator[bytes], beside: int = 0
) -> AsyncIterator[Upload]:
    """The pieces as a file, which is gone after the block; `beside` are the bytes that the body has beside them."""
    announced = request.headers.get("content-length", "")
    limit = backend.settings.max_upload_bytes
    if announced.isascii() and announced.isdigit() and int(announced) > limit + beside:
        raise UploadTooLarge(limit)
    async with contextmanager_in_threadpool(backend.receive()) as upload:
        gathered = bytearray()
        async for piece in pieces:
            gathered += piece
            if len(gathered) >= CHUNK:
                await run_in_threadpool(upload.write, bytes(gathered))
                gathered.clear()
        if gathered:
            await run_in_threadpool(upload.write, bytes(gathered))
        yield upload


class FormRoute(APIRoute):
    """A route whose one file may also come in a form, if its `openapi_extra` is a `body` of this module.

    Then the file is received first, wherever in the form it stands; its other fields join the query, so that what
    follows is the same as of a raw body.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if FORM in self._content:
            kinds = ", ".join(kind for kind in self._content if kind != FORM)
            self._content[FORM] = {"schema": self._form_schema(), "encoding": {FILE: {"contentType": kinds}}}

    @property
    def _content(self) -> dict[str, Any]:
        """What the route is documented to take, by media type."""
        content: dict[str, Any] = (self.openapi_extra or {}).get("requestBody", {}).get("content", {})
        return content

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if FORM not in self._content:
            return handle
        names = query_names(self.dependant)

        async def handle_form(request: Request) -> Response:
            content_type = request.headers.get("content-type", "")
            if essence(content_type) != FORM:
                return await handle(request)
            fields = dict(parse_qsl(request.url.query, keep_blank_values=True))
            reader = FormReader(content_type, names)
            backend = backend_of(request)
            file = file_of(reader, request, backend.settings.max_upload_bytes)
            async with receiving(request, backend, file, beside=MOST_BESIDE) as upload:
                part = reader.chosen()
                request.state.form = ReceivedForm(
                    upload, part.content_type or "", part.charset, part.filename or "", reader.fields
                )
                for name, value in reader.fields.items():
                    add(fields, name, value)
                query = urlencode(fields).encode()
                return await handle(Request({**request.scope, "query_string": query}, request.receive))

        return handle_form

    def _form_schema(self) -> dict[str, Any]:
        properties: dict[str, Any] = {FILE: BINARY}
        for parameter in (each for one in dependants(self.dependant) for each in one.query_params):
            field = parameter.field_info
            adapter: TypeAdapter[object] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
            schema = adapter.json_schema()
            properties[parameter.alias] = without_null(schema)
        return {
            "title": "".join(word.capitalize() for word in [*self.name.split("_"), "form"]),
            "type": "object",
            "description": "The file, with its own media type or a name whose ending tells it; the other fields mean "
            "what the query parameters do, and may be given there instead.",
            "properties": properties,
            "required": [FILE],
            "additionalProperties": False,
        }


class UploadRoute(StrictRoute, FormRoute):
    """A strict route; where it takes a file, that comes raw or in a form."""


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema where it is given as text: what has no value is left out."""
    rest = {keyword: value for keyword, value in schema.items() if keyword != "anyOf" and value is not None}
    alternatives = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    return rest | (alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives} if alternatives else {})


async def file_of(reader: FormReader, request: Request, limit: int) -> AsyncIterator[bytes]:
    """The bytes of a form's file; raises `UploadTooLarge` for a form that could not hold one within the limit."""
    count = 0
    async for piece in request.stream():
        count += len(piece)
        if count > limit + MOST_BESIDE:
            raise UploadTooLarge(limit)
        if piece:
            for part in reader.read(piece):
                yield part
    for part in reader.read(b""):
        yield part


def body(kinds: Kinds, description: str) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body itself; `FormRoute` adds the form."""
    return request_body(description, {**dict.fromkeys(kinds.media_types, BINARY), FORM: {}})
