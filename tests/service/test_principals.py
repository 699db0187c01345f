"""Two tenants and a stand-in that says who asks: what is one's is not there for the other, by whatever route."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from starlette.types import Scope
from structlog.testing import capture_logs

from service.http.authentication import Authenticator
from service.http.client_timeouts import Patience
from service.http.headers import header
from service.http.problems import RequestRefused
from tests.service.contract import Contract
from tests.service.running import Running, served
from tests.service.shape import assert_problem
from tests.until import CEILING, until
from worker.backend import Backend
from worker.domain.principals import Principal
from worker.settings import Settings

HEADER = "x-asked-by"
TENANTS = {"ann": "red", "carol": "red", "bob": "blue"}
Ask = dict[str, httpx.Client]


class ByHeader:
    """Believes whatever name a request says."""

    async def principal_of(self, scope: Scope) -> Principal:
        name = (header(scope, HEADER.encode()) or b"").decode()
        if name not in TENANTS:
            raise RequestRefused(401, "unauthorized", "Say who you are", f"the header {HEADER} names nobody")
        return Principal(name, TENANTS[name])


@pytest.fixture(scope="module")
def shared(opened: Backend, settings: Settings) -> Iterator[Running]:
    chosen = settings.model_copy(update={"cors_origins": ("https://page.example",)})
    by_header: Authenticator = ByHeader()
    with served(opened, chosen, Patience(), by_header) as service:
        yield service


@pytest.fixture(scope="module")
def ask(shared: Running, contract: Contract) -> Iterator[Ask]:
    """A client of each."""
    with ExitStack() as exits:
        yield {
            name: exits.enter_context(
                httpx.Client(
                    base_url=shared.url,
                    headers={HEADER: name},
                    timeout=CEILING,
                    event_hooks={"response": [contract.check]},
                )
            )
            for name in TENANTS
        }


def test_whoever_asks_is_known_first(shared: Running, ask: Ask) -> None:
    """Before the path, the body and the method; but probes and preflights come without a name."""
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    with httpx.Client(base_url=shared.url, timeout=CEILING) as nobody:
        for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/nothing"), ("PUT", "/v1/jobs")):
            problem = assert_problem(nobody.request(method, path, headers={HEADER: "eve"}), 401)
            assert HEADER in problem["detail"]
        v2 = nobody.get("/v2/models/hers")
        assert v2.status_code == 401 and v2.json()["error"] == v2.json()["detail"]
        for path in ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"):
            assert nobody.get(path).status_code == 200
        assert nobody.options("/v1/jobs", headers=preflight).status_code == 200
    with capture_logs() as logs:
        ask["carol"].get("/v1/jobs/nothing")
        until(lambda: any(log["event"] == "request" for log in logs))
    assert [log["principal"] for log in logs if log["event"] == "request"] == ["carol"]
