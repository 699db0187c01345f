"""What a body says that it is, and what to do about one that says something else than is taken."""

from worker.errors import UnsupportedMediaType

URL_ENCODED = "application/x-www-form-urlencoded"


def essence(content_type: str) -> str:
    """A Content-Type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def unsupported(media_type: str, allowed: tuple[str, ...], hint: str = "") -> UnsupportedMediaType:
    """The refusal of another media type than those allowed."""
    if media_type == URL_ENCODED:
        hint = f"curl says that unless it is told better: add -H 'Content-Type: {allowed[0]}'. {hint}"
    return UnsupportedMediaType(media_type, allowed, hint.rstrip())
