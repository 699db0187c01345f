"""An alias is moved while requests come in: none fails, none is answered by a version that it did not name."""

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
from service.predictions.serving import Serving
from tests.service.running import Running, served
from tests.until import until
from worker.backend import Backend, open_backend
from worker.errors import UnknownAlias, UnknownVersion
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
    quick = settings.model_copy(update={"look_seconds": 0.05})
    with (
        open_backend(quick, opened.broker) as other,
        served(other, quick, Patience()) as second,
        httpx.Client(base_url=second.url, timeout=60) as there,
    ):

        def answered() -> tuple[int, object]:
            answer = there.post("/v1/models/switched/predict?alias=staging", json={"rows": [ROW]})
            return answer.status_code, answer.json().get("version")

        assert answered() == (200, 1)
        client.put(alias, json={"version": 3})
        seen = []
        until(lambda: seen.append(answered()) or seen[-1] == (200, 3))
        assert set(seen) <= {(200, 1), (200, 3)}
        client.delete(alias)
        until(lambda: answered()[0] == 404)


@pytest.fixture
def serving(backend: Workspace) -> Serving:
    """What a process serves, with nobody looking for changes."""
    return Serving(backend, Predictors(), look_seconds=3600)


def test_what_is_known_is_served_without_asking_the_store(serving: Serving, expected: dict[int, object]) -> None:
    assert serving.known("switched", 2) is None
    found = serving.served("switched", 2)
    assert serving.known("switched", 2) == found and found.version == 2
    with pytest.raises(UnknownVersion):
        serving.served("switched", 99)
    with pytest.raises(UnknownAlias):
        serving.served("switched", "nothing")
    serving.close()


def test_a_model_that_went_for_want_of_room_is_read_again(backend: Workspace, expected: dict[int, object]) -> None:
    serving = Serving(backend, Predictors(capacity=1), look_seconds=3600)  # room for one at a time
    for number in VERSIONS:
        assert serving.served("switched", number).model.predict([ROW]) is not None
    assert serving.known("switched", 1) is None
    assert serving.served("switched", 1).version == 1 and serving.predictors.loads == 4
    serving.close()
