"""Addresses as settings have them: lists of networks, host names and origins in one string, and a path of a proxy's."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

SEGMENT = "[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
PATH = re.compile(rf"/?({SEGMENT}(?:/{SEGMENT})*)?/?")
NAME = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
PORTS = {"http": 80, "https": 443}  # which browsers leave out


def root_path(text: str) -> str:
    """A path as it stands before other paths: `/ml`, or empty; raises ValueError."""
    path = PATH.fullmatch(text.strip())
    if path is None:
        raise ValueError(f"{text!r} is no path such as /ml: letters, digits and ._~- between slashes")
    return f"/{path[1]}" if path[1] else ""


def network(text: str) -> str:
    """An IP address or a network in CIDR notation; raises ValueError."""
    try:
        return str(ip_network(text)) if "/" in text else str(ip_network(text).network_address)
    except ValueError as error:
        raise ValueError(f"{text!r} is no IP address or network, such as 10.0.0.7 or 10.0.0.0/8: {error}") from error


def host_name(text: str) -> str:
    """The name or address of a host, `*.` before it for all below it, or `*` for any; raises ValueError."""
    name = text.lower().removesuffix(".")
    if NAME.fullmatch(name):
        return name
    try:
        return str(ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        detail = f"{text!r} is no name of a host, such as ml.example.org or *.example.org, without a port"
        raise ValueError(detail) from None


def origin(text: str) -> str:
    """An origin as browsers write it, or `*` for any; raises ValueError."""
    if text == "*":
        return text
    parts = urlsplit(text)
    if not parts.scheme or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError(f"{text!r} is no origin: scheme, host and port alone, such as https://dash.example.org:8443")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if parts.port in (None, PORTS.get(parts.scheme)) else f":{parts.port}")


def each(read: Callable[[str], str]) -> Callable[[object], object]:
    """Reads every entry of a list, which may be one string with commas."""

    def read_all(value: object) -> object:
        entries = value.split(",") if isinstance(value, str) else value
        if not isinstance(entries, list | tuple):
            return value  # which pydantic refuses
        return tuple(read(entry.strip()) if isinstance(entry, str) else entry for entry in entries if entry != "")

    return read_all


RootPath = Annotated[str, BeforeValidator(lambda value: root_path(value) if isinstance(value, str) else value)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(each(network))]
HostNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(each(host_name))]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(each(origin))]
