"""The address of a service as people write it, from the client's and from the command's side."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from trainshed import Client, InvalidUrl, Unreachable
from trainshed.cli import app
from trainshed.client.address import read_address


class Echo(BaseHTTPRequestHandler):
    """Answers with the path that it was asked for, as the name of the one job that there is."""

    def do_GET(self) -> None:
        body = b'{"data": [], "has_more": false}' if self.path.startswith("/ml/v1/jobs") else b"{}"
        self.send_response(200 if self.path.startswith("/ml/v1/jobs") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture
def behind_a_path() -> Iterator[int]:
    """The port of a service whose API a proxy has put under /ml."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("localhost:8000/", "http://localhost:8000"),
        ("  example.org ", "http://example.org"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("http://host/ml/", "http://host/ml"),
        ("host/ml//", "http://host/ml"),
        ("HTTPS://Host:8443", "https://host:8443"),
    ],
)
def test_an_address_may_lack_a_scheme_and_have_a_path(written, meant) -> None:
    assert read_address(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "http://",
        ":8000",
        "ftp://host",
        "host:port",
        "host:99999",
        "http://host?x=1",
        "host#top",
        "two words",
        "[::1",
    ],
)
def test_what_is_no_address_is_a_line_that_shows_one(written) -> None:
    with pytest.raises(InvalidUrl, match=re.escape("write 127.0.0.1:8000 or https://host/path")) as refused:
        Client(written)
    assert "\n" not in str(refused.value) and repr(written) in str(refused.value)
    result = CliRunner().invoke(app, ["job", "list", "--url", written])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{refused.value} (--url, or TRAINSHED_URL)\n"


def test_a_path_before_the_api_is_kept(behind_a_path) -> None:
    for written in (f"127.0.0.1:{behind_a_path}/ml", f"http://127.0.0.1:{behind_a_path}/ml/"):
        with Client(written) as client:
            assert client.jobs.list() == []


def test_a_password_in_an_address_is_shown_nowhere() -> None:
    with Client("me:hunter2@127.0.0.1:9") as client, pytest.raises(Unreachable) as nobody:
        client.jobs.list()
    assert "http://127.0.0.1:9" in str(nobody.value) and "hunter2" not in str(nobody.value)
    with pytest.raises(InvalidUrl) as refused:
        Client("http://me:hunter2@host:port")
    assert "hunter2" not in str(refused.value)
