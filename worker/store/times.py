"""The database's seconds as times."""

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(seconds, UTC)


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as text, to the millisecond: `2026-03-01T12:00:00.250Z`."""
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_or_none(seconds: float | None) -> datetime | None:
    """The same, where there may be none."""
    return None if seconds is None else moment(seconds)
