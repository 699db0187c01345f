"""Raw bodies on their way to disk: a chunk at a time, so that no upload is ever in memory as a whole."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

from worker.errors import UnsupportedMediaType, UploadTooLarge
from worker.uploads import Upload
from worker.yard import Yard

Stored = TypeVar("Stored")

CHUNK = 1024 * 1024  # bytes gathered before a thread is asked to write them


async def received(
    request: Request, yard: Yard, allowed: Sequence[str], store: Callable[[str, Upload], Stored]
) -> Stored:
    """What `store(media_type, upload)` makes of the body.

    Refused before the first byte is read: another media type, and a body that says it is too large.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in allowed:
        raise UnsupportedMediaType(media_type, tuple(allowed))
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > yard.settings.max_upload_bytes:
        raise UploadTooLarge(yard.settings.max_upload_bytes)
    async with contextmanager_in_threadpool(yard.receive()) as upload:
        gathered = bytearray()
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) >= CHUNK:
                await run_in_threadpool(upload.write, bytes(gathered))
                gathered.clear()
        if gathered:
            await run_in_threadpool(upload.write, bytes(gathered))
        return await run_in_threadpool(store, media_type, upload)


def body(media_types: Sequence[str], description: str) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body itself."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {
        "requestBody": {
            "required": True,
            "description": description,
            "content": {media_type: binary for media_type in media_types},
        }
    }
