"""Principals: whoever asks. What a principal makes is its tenant's, and bears its name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    """Whoever a request comes from: a tenant's things are seen by its principals alone, as if there were no others."""

    name: str  # who it was: on what is created and changed, and in the log
    tenant: str  # whose it is: names are unique within it


LOCAL = Principal(name="local", tenant="local")
"""Everybody, as long as nobody has to say who they are."""
