"""Models are kept in memory while they are used and there is room."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, get_ident
from time import sleep

import pytest

from engine import JobSpec, Network, RandomStreams, load_sample, prepare
from engine.model import Model
from service.predictions.model_cache import Predictors, size
from tests.until import CEILING


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A model with so many hidden units, on disk."""
    folder = tmp_path_factory.mktemp("models")

    def save(units: int) -> Path:
        spec = JobSpec.model_validate(
            {"data": {"train": "iris", "target": "label"}, "layers": [{"type": "dense", "units": units}]}
        )
        data = prepare(spec.data, {"iris": load_sample("iris")}, dtype="float32")
        network = Network.of(spec, data.preprocessor)
        parameters = network.initialized(spec.initializer, RandomStreams(0).initial(), "float32")
        path = folder / f"{units}.safetensors"
        Model(spec, data.preprocessor, parameters, network).save(path)
        return path

    return save


def test_the_model_that_was_not_used_for_longest_goes_first(saved: Callable[[int], Path]) -> None:
    read: list[str] = []

    def path(key: str) -> Callable[[], Path]:
        def reading() -> Path:
            read.append(key)
            return saved(100)

        return reading

    predictors = Predictors()
    one = size(predictors.get("first", lambda: saved(100)))
    predictors = Predictors(capacity=2 * one)
    for key in ("a", "b", "a", "c", "a", "b"):
        predictors.get(key, path(key))
    assert read == ["a", "b", "c", "b"]
    assert predictors.find("c") is None and predictors.find("a") is not None
    assert predictors.bytes == 2 * one


def test_room_is_counted_in_bytes(saved: Callable[[int], Path]) -> None:
    small, large = size(Predictors().get("a", lambda: saved(1))), size(Predictors().get("a", lambda: saved(100_000)))
    assert large > 2 * 10**6 > 10 * small
    predictors = Predictors(capacity=large)
    for key in "abc":
        predictors.get(key, lambda: saved(1))
    predictors.get("large", lambda: saved(100_000))  # for which the others make room
    assert [key for key in ("a", "b", "c", "large") if predictors.find(key)] == ["large"]
    predictors.get("larger", lambda: saved(100_001))  # more than there is room for, and needed all the same
    assert predictors.find("larger") is not None and predictors.find("large") is None


def test_of_threads_that_want_one_model_one_reads_it(saved: Callable[[int], Path]) -> None:
    predictors, ready = Predictors(), saved(10)
    waiting = Barrier(4)

    def path() -> Path:
        read.append(get_ident())
        sleep(0.05)  # long enough for the others to come, who would read it as well
        return ready

    def get(_: int) -> Model:
        waiting.wait(CEILING)
        return predictors.get("a", path)

    read: list[int] = []
    with ThreadPoolExecutor(4) as threads:
        models = list(threads.map(get, range(4)))
    assert len(read) == predictors.loads == 1
    assert {id(model) for model in models} == {id(predictors.find("a"))}


def test_a_model_that_cannot_be_read_may_be_asked_for_again(saved: Callable[[int], Path]) -> None:
    predictors = Predictors()
    with pytest.raises(FileNotFoundError):
        predictors.get("a", lambda: Path("nowhere.safetensors"))
    assert predictors.get("a", lambda: saved(1)) is predictors.find("a")
