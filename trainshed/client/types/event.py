"""What happens to a job, and when."""

from typing import TypedDict

from trainshed.client.types.job import State
from trainshed.client.types.json import JsonObject


class Event(TypedDict):
    """Something that happened to a job; `seq` counts from 1. The last of a stream is `done`, whose data are the job."""

    seq: int
    type: str
    at: str
    attempt: int
    data: JsonObject


class Period(TypedDict):
    """A time that a job spent in one state."""

    state: State
    at: str
    until: str | None
    seconds: float | None
    attempt: int
    reason: str | None


class Timeline(TypedDict):
    """A job's states and how long they took, and what was asked of it."""

    data: list[Period]
    marks: list[Event]
