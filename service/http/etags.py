"""ETags: of every answer that is polled, and 304 to whoever holds it already."""

from hashlib import sha256

from fastapi import Request
from starlette.responses import FileResponse, Response, StreamingResponse


def unless_unchanged(request: Request, response: Response) -> Response:
    """304 without a body where the client already holds this very answer."""
    if request.method != "GET" or response.status_code != 200 or isinstance(response, StreamingResponse | FileResponse):
        return response
    fresh = {"ETag": tag_of(bytes(response.body)), "Cache-Control": "no-cache"}
    if "vary" in response.headers:
        fresh["Vary"] = response.headers["vary"]
    if is_held(request, fresh["ETag"]):
        return Response(status_code=304, headers=fresh)
    response.headers.update(fresh)
    return response


def is_held(request: Request, tag: str) -> bool:
    """Whether the client has the answer with this ETag already."""
    return is_among(tag, request.headers.get("if-none-match", ""))


def is_among(tag: str, held: str) -> bool:
    """Whether a list of tags, or `*`, has the tag; weak or strong is the same."""
    tags = [one.strip().removeprefix("W/") for one in held.split(",")]
    return tag.removeprefix("W/") in tags or "*" in tags


def tag_of(body: bytes) -> str:
    """The ETag of an answer with this body: a weak one, as it is the same for the answer as it is and compressed."""
    return f'W/"{sha256(body).hexdigest()[:32]}"'
