"""Ids that say what they name and sort by the time they were made: `job_…`, `ds_…`, `bp_…`."""

import re
from typing import Literal

import uuid_utils

Prefix = Literal["job", "gc", "bp", "item", "ds", "ps", "worker"]


def new_id(prefix: Prefix) -> str:
    """`prefix` and the 32 hexadecimal digits of a version 7 UUID."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def is_id(prefix: Prefix, text: str) -> bool:
    """Whether `text` has the form of such an id, so that anything else need not reach the database."""
    return re.fullmatch(id_pattern(prefix), text) is not None


def id_pattern(prefix: Prefix) -> str:
    """A regular expression, to be matched as a whole."""
    return f"{prefix}_[0-9a-f]{{32}}"
