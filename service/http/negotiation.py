"""Which of the forms that an answer can have is wanted (RFC 9110, Accept)."""

from collections.abc import Sequence


def preferred(accept: str, offers: Sequence[str]) -> str:
    """The media type that the header likes best; of equals the first one offered, also where it likes none."""
    return max(offers, key=lambda offer: quality(accept, offer)) if accept else offers[0]


def quality(accept: str, media_type: str) -> float:
    """How much the header likes a media type, from 0 to 1: its most specific range decides."""
    ranges = {media_type: 2, f"{media_type.partition('/')[0]}/*": 1, "*/*": 0}
    best, found = -1, 0.0
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if ranges.get(name, -1) > best:
            best, found = ranges[name], _q(parameters)
    return found


def _q(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
