"""A Redis address is read as its libraries read it, and shown without its password."""

import pytest
from kombu.utils.url import url_to_parts
from redis.connection import parse_url

from worker.redis_address import RedisAddress

ADDRESSES = {
    "redis://example.org": "redis://example.org:6379/0",
    "redis://me:secret@example.org:7000/1": "redis://example.org:7000/1",
    "redis://:sec%2Fret%40%3B@example.org/": "redis://example.org:6379/0",
    "redis://example.org/2?password=secret": "redis://example.org:6379/2",
    "redis://example.org?db=3&username=me&password=se@cret": "redis://example.org:6379/3",
    "redis://[::1]:7000/1": "redis://[::1]:7000/1",
    "rediss://me:secret@example.org/1?ssl_ca_certs=/etc/ca.pem": "rediss://example.org:6379/1",
    "redis+socket://me:secret@/run/redis.sock": "unix:///run/redis.sock",
    "unix:///run/a%20redis.sock?db=2&password=secret": "unix:///run/a redis.sock",
}


@pytest.mark.parametrize(("url", "shown"), ADDRESSES.items())
def test_what_is_shown_holds_no_password_and_celery_is_told_all_of_it(url: str, shown: str) -> None:
    address = RedisAddress(url)
    assert str(address) == shown
    assert "cret" not in f"{address!r} {address}"
    expected = {"host": "localhost", "port": 6379, "db": 0} | parse_url(url.replace("redis+socket:", "unix:"))
    celery = url_to_parts(address.celery_url.removeprefix("redis+"))
    assert (celery.username, celery.password) == (expected.get("username"), expected.get("password"))
    if "path" in expected:
        assert (f"/{celery.path}", celery.query) == (expected["path"], {"virtual_host": str(expected["db"])})
    else:
        assert (celery.hostname, celery.port, celery.path) == (expected["host"], expected["port"], str(expected["db"]))


def test_celery_trusts_only_known_certificates_unless_it_is_told_otherwise() -> None:
    assert RedisAddress("redis://example.org").celery_tls is None
    assert RedisAddress("rediss://example.org").celery_tls == {"ssl_cert_reqs": "required"}
    assert RedisAddress("rediss://example.org?ssl_cert_reqs=none").celery_tls == {"ssl_cert_reqs": "none"}


@pytest.mark.parametrize(
    "url",
    [
        "example.org:6379",
        "http://:secret@example.org",
        "redis://:sec/ret@example.org:6379/0",
        "redis://:sec#ret@example.org:6379/0",
        "redis://:12?secret@example.org:6379/0",
        "redis://:12#secret@example.org:6379/0",
        "redis://me:12/secret@example.org:6379/0",
        "redis://:secret@example.org:70000",
        "redis://:secret@example.org/first",
        "redis://example.org?password=secret&db=first",
        "redis://example.org?socket_timeout=3&password=secret",
        "unix://",
    ],
)
def test_what_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="a Redis address") as refused:
        RedisAddress(url)
    assert "sec" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None  # a traceback would show it
