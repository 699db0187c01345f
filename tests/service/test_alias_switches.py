"""An alias is moved while requests come in: none fails, none is answered by a version that it did not name."""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from engine import load
from service.http.client_timeouts import Patience
from service.predictions.model_cache import Predictors
from service.predictions.resolution import Resolved, Resolver
from service.predictions.revisions import Revisions
from tests.service.running import Running, served
from tests.until import until
from worker.backend import Backend, open_backend
from worker.errors import StoreUnavailable, UnknownAlias, UnknownVersion
from worker.models.models_backend import ModelsBackend
from worker.settings import Settings
from worker.workspace import Workspace

ROW = [5.9, 3.0, 4.2, 1.5]
VERSIONS = (1, 2, 3)
ASKING = 4
SWITCHES = 12


@pytest.fixture(scope="module")
def expected(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> dict[int, object]:
    """What each of three versions answers; all differ."""
    for seed in VERSIONS:
        answer = client.post("/v1/models/switched/versions", json={"job": train(seed=seed)})
        assert answer.status_code == 201, answer.text
    models = {
        number: load(backend.models.version_path(backend.models.version("switched", number))) for number in VERSIONS
    }
    answers = {number: json.loads(json.dumps(model.predict([ROW]))) for number, model in models.items()}
    assert len({json.dumps(answer) for answer in answers.values()}) == len(VERSIONS)
    return answers


def test_no_request_is_lost_or_answered_by_another_version(
    running: Running, client: httpx.Client, expected: dict[int, object]
) -> None:
    alias = "/v1/models/switched/aliases/production"
    client.put(alias, json={"version": 1})
    over = threading.Event()
    answered: list[int] = []  # the versions, as the answers come

    def ask(_: int) -> None:
        with httpx.Client(base_url=running.url, timeout=60) as own:
            while not over.is_set():
                answer = own.post("/v1/models/switched/predict?alias=production", json={"rows": [ROW]})
                assert answer.status_code == 200, answer.text
                told = answer.json()
                assert told["predictions"] == expected[told["version"]]
                assert answer.headers["trainshed-model"] == f"switched@{told['version']}"
                answered.append(told["version"])

    def switch() -> None:
        try:
            for number in range(SWITCHES):
                version = VERSIONS[number % len(VERSIONS)]
                assert client.put(alias, json={"version": version}).status_code == 200
                told = client.post("/v1/models/switched/predict?alias=production", json={"rows": [ROW]}).json()
                assert told["version"] == version  # in effect once it is answered
                enough = len(answered) + 2 * ASKING  # those that were under way, and new ones
                until(lambda enough=enough: len(answered) >= enough)
        finally:
            over.set()

    with ThreadPoolExecutor(ASKING + 1) as pool:
        switching = pool.submit(switch)
        list(pool.map(ask, range(ASKING)))
        switching.result()
    assert set(answered) == set(VERSIONS) and len(answered) >= SWITCHES * 2 * ASKING
    changes = client.get(f"{alias}/history", params={"limit": 1000}).json()["data"]
    assert len(changes) == SWITCHES  # the first of them changed nothing, as the alias was there already


def test_another_process_follows(
    opened: Backend, settings: Settings, client: httpx.Client, expected: dict[int, object], tmp_path: Path
) -> None:
    """Two services over one store share nothing else."""
    alias = "/v1/models/switched/aliases/staging"
    client.put(alias, json={"version": 1})
    with (
        open_backend(settings, opened.broker) as other,
        served(other, settings, Patience()) as second,
        httpx.Client(base_url=second.url, timeout=60) as there,
    ):

        def answered() -> tuple[int, object]:
            answer = there.post("/v1/models/switched/predict?alias=staging", json={"rows": [ROW]})
            return answer.status_code, answer.json().get("version")

        assert answered() == (200, 1)
        for version in (3, 2, 1, 3):
            assert client.put(alias, json={"version": version}).status_code == 200
            assert answered() == (200, version)
        assert client.post(f"{alias}/rollback").status_code == 200
        assert answered() == (200, 1)
        assert client.delete(alias).status_code == 204
        assert answered()[0] == 404


def test_what_is_known_is_looked_up_once(
    backend: Workspace, expected: dict[int, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver, looked_up = Resolver(Predictors()), []
    get = backend.models.get
    monkeypatch.setattr(backend.models, "get", lambda name: looked_up.append(name) or get(name))

    async def resolve(reference: int | str | None) -> Resolved:
        return await resolver.resolve(backend, "switched", reference)

    first, second = asyncio.run(resolve(2)), asyncio.run(resolve(2))
    assert first == second and first.version == 2 and looked_up == ["switched"]
    with pytest.raises(UnknownVersion):
        asyncio.run(resolve(99))
    with pytest.raises(UnknownAlias):
        asyncio.run(resolve("nothing"))


def test_a_model_that_went_for_want_of_room_is_read_again(backend: Workspace, expected: dict[int, object]) -> None:
    resolver = Resolver(Predictors(capacity=1))  # room for one at a time
    for number in (*VERSIONS, 1):
        resolved = asyncio.run(resolver.resolve(backend, "switched", number))
        assert resolved.version == number and resolved.model.predict([ROW]) == expected[number]
    assert resolver.predictors.loads == 4


@pytest.mark.parametrize("at_once", [True, False])
def test_a_store_that_is_away_does_not_take_the_models_along(
    backend: Workspace, expected: dict[int, object], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """Nobody can be told of a change then."""
    resolver = Resolver(Predictors())

    async def ask() -> list[int]:
        first = await resolver.resolve(backend, "switched", None)
        with monkeypatch.context() as patch:
            patch.setattr(ModelsBackend, "answers_at_once", at_once)
            for read in ("revision", "revision_at_once"):
                patch.setattr(backend.models, read, away)
            second = await resolver.resolve(backend, "switched", None)
        return [first.version, second.version]

    def away(name: str) -> int:
        raise StoreUnavailable("no")

    assert asyncio.run(ask()) == [3, 3]


def test_those_who_come_while_a_distant_store_is_asked_go_with_the_next_question(
    backend: Workspace, expected: dict[int, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelsBackend, "answers_at_once", False)
    asked, go, entered = [], threading.Event(), threading.Event()
    revision = backend.models.revision

    def slow(name: str) -> int | None:
        asked.append(name)
        entered.set()
        assert go.wait(60)
        return revision(name)

    monkeypatch.setattr(backend.models, "revision", slow)
    revisions, now = Revisions(), revision("switched")
    assert now is not None

    async def meet() -> list[bool]:
        first = asyncio.create_task(revisions.is_newest(backend, "switched", now))
        await asyncio.to_thread(entered.wait, 60)
        rest = [asyncio.create_task(revisions.is_newest(backend, "switched", now - n)) for n in (0, 1, 0)]
        await asyncio.sleep(0)
        go.set()
        return [await first, *(await asyncio.gather(*rest))]

    assert asyncio.run(meet()) == [True, True, False, True]
    assert asked == ["switched", "switched"]
