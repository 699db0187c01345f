"""The names that people give to datasets and parameter sets: short, printable, and never an id."""

import re

from worker.errors import InvalidName

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
ID = re.compile(r"(job|ds|ps|bp|worker)_[0-9a-f]{32}")
VERSION = re.compile(r"@([1-9][0-9]{0,8})")


def possible(reference: str) -> bool:
    """Whether anything can have this id or name: what cannot is not worth a question to the database."""
    return NAME.fullmatch(versioned(reference)[0]) is not None


def versioned(reference: str) -> tuple[str, int | None]:
    """The name and the version that `name@2` means; without a version, that of the newest: None."""
    name, at, _ = reference.partition("@")
    found = VERSION.fullmatch(reference[len(name) :])
    return (name, int(found[1])) if at and found else (reference, None)


def checked(name: str) -> str:
    """The name itself; `InvalidName` says what is wrong with it."""
    if not NAME.fullmatch(name):
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
