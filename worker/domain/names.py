"""The names that people give to datasets, parameter sets and models: short, printable, and never an id."""

import re
from typing import get_args

from engine.names import NAME, REST
from worker.domain.ids import Prefix, id_pattern
from worker.errors import InvalidName

ALIAS = f"[A-Za-z]{REST}"
NUMBER = "[1-9][0-9]{0,8}"
REFERENCE = f"{NAME}(@{NUMBER})?"
VERSION = re.compile(f"@({NUMBER})")
ID = re.compile("|".join(id_pattern(prefix) for prefix in get_args(Prefix)))


def possible(reference: str) -> bool:
    """Whether anything can have this id or name: what cannot is not worth a question to the database."""
    return re.fullmatch(NAME, versioned(reference)[0]) is not None


def versioned(reference: str) -> tuple[str, int | None]:
    """The name and the version that `name@2` means; without a version, that of the newest: None."""
    name, at, _ = reference.partition("@")
    found = VERSION.fullmatch(reference[len(name) :])
    return (name, int(found[1])) if at and found else (reference, None)


def checked(name: str) -> str:
    """The name itself; `InvalidName` says what is wrong with it."""
    if not re.fullmatch(NAME, name):
        raise InvalidName(
            f"{name[:80]!a} is no name; a name has 1 to 64 letters, digits, '_', '-' or '.' "
            "and begins with a letter or a digit"
        )
    if ID.fullmatch(name):
        raise InvalidName(f"{name!r} looks like an id; choose a name that does not")
    return name


def checked_alias(alias: str) -> str:
    """The alias itself; `InvalidName` for what is no name, or would be read as a version's number."""
    checked(alias)
    if alias[0].isdigit():
        raise InvalidName(f"{alias!r} begins with a digit, as versions do; an alias begins with a letter")
    return alias
