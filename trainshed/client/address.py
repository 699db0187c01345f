"""The address of a service as people write it: with or without a scheme, a closing slash, a path before the API's."""

import httpx

HIGHEST_PORT = 65_535
EXAMPLE = "127.0.0.1:8000 or https://host/path"


def read_address(text: str) -> str:
    """`http://host:port/path` without a slash at the end; raises ValueError, whose message says what may be written."""
    address = text.strip()
    if "://" not in address:
        address = f"http://{address}"
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ValueError(f"{_quote(text)} is not an address ({error}); write {EXAMPLE}") from None
    if url.scheme not in ("http", "https"):
        raise ValueError(f"{_quote(text)} is not an address of HTTP; write {EXAMPLE}")
    if (url.port or 0) > HIGHEST_PORT:
        raise ValueError(f"{_quote(text)} is not an address (the highest port is {HIGHEST_PORT}); write {EXAMPLE}")
    if not url.host or url.query or url.fragment or any(character.isspace() for character in address):
        raise ValueError(f"{_quote(text)} is not the address of a service; write {EXAMPLE}")
    return str(url).rstrip("/")


def hide_password(address: str) -> str:
    """The address as it may be shown."""
    return str(httpx.URL(address).copy_with(userinfo=b""))


def _quote(text: str) -> str:
    """The text, but for what stands before an @."""
    return repr(text.rpartition("@")[2])
