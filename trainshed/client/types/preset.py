"""A job from the textbook."""

from typing import TypedDict

from trainshed.client.types.json import Spec


class Preset(TypedDict):
    """A job of the gallery, and what to look at in it."""

    name: str
    title: str
    look_at: str
    spec: Spec
