"""What a body says that it is, and what to do about one that says something else than is taken."""

from email.message import Message

from worker.errors import UnsupportedMediaType

URL_ENCODED = "application/x-www-form-urlencoded"


def essence(content_type: str) -> str:
    """A Content-Type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def charset_of(content_type: bytes) -> str | None:
    """The encoding that a Content-Type names."""
    if b"charset" not in content_type.lower():
        return None
    message = Message()
    message["Content-Type"] = content_type.decode("latin-1")
    return message.get_content_charset()


def unsupported(media_type: str, allowed: tuple[str, ...], hint: str = "") -> UnsupportedMediaType:
    """The refusal of another media type than those allowed."""
    if media_type == URL_ENCODED:
        hint = f"curl says that unless it is told better: add -H 'Content-Type: {allowed[0]}'. {hint}"
    return UnsupportedMediaType(media_type, allowed, hint.rstrip())
