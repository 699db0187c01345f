"""Pages in a real browser: those of other sites get no further than the settings let them, ours work behind a proxy."""

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.http.client_timeouts import Patience
from tests.service.running import Running, served
from tests.service.stored import Snapshot
from tests.service.work import Work
from tests.until import until
from worker.backend import Backend
from worker.domain.principals import LOCAL
from worker.process.child import WorkerProcess
from worker.settings import Settings

pytestmark = pytest.mark.browser

HOME = Path(__file__).parents[2] / ".venv-browser"
PAGES = Path(__file__).parent
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SPEC = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 3}}
TEXT = json.dumps(SPEC)
FLOWER = {"rows": [[5.1, 3.5, 1.4, 0.2]]}

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """What an expression is on a page in Chromium; without one the page's text."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser on the PATH ({', '.join(PROGRAMS)})")
    assert (HOME / ".ready").exists(), "what drives the browser is not installed; `make browser` does it"
    command = [HOME / "bin/python", PAGES / "browser_session.py", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin and session.stdout

        def value(address: str, expression: str = "") -> Any:
            assert session.stdin and session.stdout
            session.stdin.write(json.dumps([address, expression]) + "\n")
            session.stdin.flush()
            line = session.stdout.readline()
            assert line, f"the browser's session ended at {address} with {expression!r}"
            return json.loads(line)

        yield value
        session.stdin.close()


class Quiet(SimpleHTTPRequestHandler):
    """A site of others."""

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """The port of a server with a page; the same page is of another site by every name that leads there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=PAGES)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def shared(settings: Settings, opened: Backend, site: int) -> Iterator[Running]:
    """A service that the pages of one other site may use."""
    chosen = settings.model_copy(update={"cors_origins": (f"http://dash.example:{site}",)})
    with served(opened, chosen, Patience()) as service:
        yield service


def test_a_page_whose_origin_is_allowed_polls_and_follows_and_changes(
    ask: Ask, site: int, shared: Running, job: Callable[..., str], work: Work
) -> None:
    page, job_id = f"http://dash.example:{site}/page.html", job()
    claim = work.claim(job_id)
    work.record(claim, [{"epoch": 1, "step": 1, "train_cost": 0.5}])
    url = f"{shared.url}/v1/jobs/{job_id}"
    status, _, text = ask(page, f"read('{url}/metrics')").partition(" ")
    assert status == "200" and json.loads(text)["data"][0]["train_cost"] == 0.5
    assert ask(page, f"tag('{url}')").startswith("W/")
    options = {"method": "POST", "headers": {"Content-Type": "application/json", "Idempotency-Key": "k"}, "body": TEXT}
    assert ask(page, f"read('{shared.url}/v1/jobs', {json.dumps(options)})").startswith("201 ")
    patch = {**options, "method": "PATCH", "body": '{"layers": 3}'}
    assert ask(page, f"read('{url}/hyperparameters', {json.dumps(patch)})").startswith("422 ")  # and can read why

    def go_on() -> None:
        """While the browser follows."""
        until(lambda: shared.server.app.state.watchers.count)
        work.record(claim, events=["live"])
        work.fail(claim)

    going = threading.Thread(target=go_on)
    going.start()
    seen = ask(page, f"follow('{url}/stream')")
    going.join()
    assert seen[-2:] == ["live", "done"] and seen.count("done") == 1


@pytest.mark.parametrize("permissive", [False, True], ids=["off", "for another"])
def test_a_page_of_another_site_reads_and_changes_nothing(
    ask: Ask,
    site: int,
    running: Running,
    shared: Running,
    train: Callable[..., str],
    client: httpx.Client,
    stored: Snapshot,
    permissive: bool,
) -> None:
    api = (shared if permissive else running).url
    name = f"page-{permissive}"
    for version in (1, 2):
        client.post(f"/v1/models/{name}/versions", json={"job": train()}).raise_for_status()
        client.put(f"/v1/models/{name}/aliases/live", json={"version": version}).raise_for_status()
    rollback = f"{api}/v1/models/{name}/aliases/live/rollback"
    pixels = f"{api}/v1/datasets/digits/augmented"
    assert client.get(pixels).headers["content-type"] == "image/png"  # which our own pages may show
    before = stored()
    options = json.dumps({"method": "POST", "headers": {"Content-Type": "application/json"}, "body": TEXT})
    stream = f"{api}/v1/jobs/{client.get('/v1/jobs').json()['data'][0]['id']}/stream"
    tried = {
        f"read('{api}/v1/jobs')": "TypeError",
        f"read('{api}/v1/jobs', {options})": "TypeError",
        f"tag('{api}/v1/jobs')": "TypeError",
        f"follow('{stream}')": [],
        f"blind('{rollback}', 'x')": "TypeError",
        f"blind('{rollback}')": "TypeError",
        f"blind('{api}/v1/jobs', new Blob([{TEXT!r}]))": "TypeError",
        f"blind('{api}/v1/datasets?name=evil', new FormData())": "TypeError",
        f"beacon('{rollback}', 'x')": True,  # handed to the browser, which is told nothing
        f"submit('{rollback}', 'text/plain', {{a: 1}})": "sent",
        f"submit('{rollback}', 'application/x-www-form-urlencoded', {{}})": "sent",
        f"submit('{api}/v1/datasets?name=evil', 'multipart/form-data', {{file: 'a,b'}})": "sent",
        f"embed('img', '{pixels}')": "error",
        f"embed('script', '{api}/v1/jobs')": "error",
    }
    all_of_them = ", ".join(f"{json.dumps(expression)}: await {expression}" for expression in tried)
    for host in ("evil.example", "127.0.0.1", "localhost"):  # the last two are other ports of this very machine
        assert ask(f"http://{host}:{site}/page.html", f"(async () => ({{ {all_of_them} }}))()") == tried
    assert stored() == before
    assert client.get(f"/v1/models/{name}/aliases/live").json()["version"] == 2


def test_a_name_that_leads_here_makes_no_page_ours(ask: Ask, running: Running, stored: Snapshot) -> None:
    """DNS rebinding: to the browser the page is of this service, and may read all that it is answered."""
    address = f"http://evil.example:{running.port}"
    options = json.dumps({"method": "POST", "headers": {"Content-Type": "application/json"}, "body": TEXT})
    deceitful = json.dumps({"headers": {"X-Forwarded-Host": "localhost"}})
    assert json.loads(ask(f"{address}/v1/jobs"))["status"] == 421
    for path, sent in (("/v1/jobs", "{}"), ("/v1/jobs", options), ("/v1/jobs", deceitful), ("/openapi.json", "{}")):
        text = f"fetch('{path}', {sent}).then(async (answer) => `${{answer.status}} ${{await answer.text()}}`)"
        assert ask(f"{address}/health/live", text).startswith('421 {"type": "urn:trainshed:unknown_host"')
    assert stored() == stored.before


CADDYFILE = """
{{
    admin off
    auto_https off
    persist_config off
}}
http://127.0.0.1:{port} {{
    handle_path /ml/* {{
        reverse_proxy 127.0.0.1:{silent}
    }}
    handle_path /said/* {{
        reverse_proxy 127.0.0.1:{told} {{
            header_up X-Forwarded-Prefix /said
        }}
    }}
    handle /kept/* {{
        reverse_proxy 127.0.0.1:{kept}
    }}
}}
"""
"""A path that is stripped without a word, one that the proxy says, and one that it keeps."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def proxy(
    settings: Settings, opened: Backend, running: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Caddy's address."""
    folder = tmp_path_factory.mktemp("caddy")
    with ExitStack() as exits:
        ports = {"told": running.port, "port": free_port()}
        for name, path in (("silent", "/ml"), ("kept", "/kept")):
            chosen = settings.model_copy(update={"root_path": path})
            ports[name] = exits.enter_context(served(opened, chosen, Patience())).port
        (folder / "Caddyfile").write_text(CADDYFILE.format(**ports))
        command = [HOME / "bin/caddy", "run", "--config", "Caddyfile"]
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with (folder / "log").open("wb") as log:
            caddy = subprocess.Popen(command, cwd=folder, env={**os.environ, **homes}, stderr=log)
        exits.callback(caddy.wait)
        exits.callback(caddy.terminate)
        url = f"http://127.0.0.1:{ports['port']}"

        def up() -> bool:
            assert caddy.poll() is None, (folder / "log").read_text()
            try:
                return httpx.get(f"{url}/ml/health/live").status_code == 200
            except httpx.TransportError:
                return False

        until(up)
        yield url


@pytest.mark.parametrize("path", ["/ml", "/said", "/kept"])
def test_all_works_under_a_path_of_a_proxy(
    ask: Ask, proxy: str, path: str, settings: Settings, opened: Backend
) -> None:
    """The page of the documentation asks for what it shows; a page of that origin submits, follows and predicts."""
    shown = "document.querySelector('.opblock') && document.querySelector('.servers option')?.value"
    assert ask(f"{proxy}{path}/docs", eventually(shown)) == path
    address = f"{proxy}{path}/"
    post = {"method": "POST", "headers": {"Content-Type": "application/json"}}
    submit = f"fetch('v1/jobs', {json.dumps({**post, 'body': TEXT})}).then((answer) => answer.headers.get('Location'))"
    location = ask(address, submit)
    assert location.startswith(f"{path}/v1/jobs/")
    job_id = location.rpartition("/")[2]

    def train() -> None:
        """The worker's part, once the stream is open."""
        with closing(WorkerProcess(settings, opened.broker, draining=lambda: False)) as process:
            while not opened.on_behalf_of(LOCAL).jobs.get(job_id).done:
                process.work(job_id)

    training = threading.Thread(target=train)
    training.start()
    follow = (
        f"new Promise((resolve) => new EventSource('{location}/stream')"
        ".addEventListener('done', (event) => resolve(JSON.parse(event.data).state)))"
    )
    assert ask(address, follow) == "succeeded"
    training.join()
    body = json.dumps({**post, "body": json.dumps(FLOWER)})
    predictions = ask(address, f"fetch('{location}/predict', {body}).then((answer) => answer.json())")["predictions"]
    assert predictions[0]["probabilities"].keys() == {"0", "1", "2"}


def eventually(expression: str) -> str:
    """An expression that is what another one is, once that is true."""
    return (
        "new Promise((resolve) => { const look = () => { "
        f"const value = {expression}; value ? resolve(value) : requestAnimationFrame(look); }}; look(); }})"
    )
