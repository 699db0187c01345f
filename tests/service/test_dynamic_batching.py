"""Requests that arrive together share a product, a lone one does not wait, and nobody's bits change."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from engine import Model
from service.predictions import dynamic_batching
from service.predictions.dynamic_batching import DynamicBatcher
from tests.engine.jobs import events_of, finished, spec_of, toy


@pytest.fixture(scope="module")
def model() -> Model:
    return finished(events_of(spec_of(training={"epochs": 1}), toy("three classes"))).model


def inputs(model: Model, rows: int, seed: int = 0) -> np.ndarray:
    return model.inputs(np.random.default_rng(seed).standard_normal((rows, 4)))


def test_what_arrives_in_one_turn_goes_together_with_the_bits_it_has_alone(model: Model) -> None:
    sizes = [1, 1, 3, 1, 20, 1]
    asked = [inputs(model, size, seed) for seed, size in enumerate(sizes)]
    batcher = DynamicBatcher()

    async def all_at_once() -> list[np.ndarray]:
        return list(await asyncio.gather(*(batcher.predict(model, X) for X in asked)))

    for X, answers in zip(asked, asyncio.run(all_at_once()), strict=True):
        assert (answers == model.answers(X)).all()
    assert (batcher.products, batcher.requests) == (1, len(sizes))


def test_a_lone_request_is_answered_in_the_same_turn_of_the_loop(model: Model) -> None:
    batcher = DynamicBatcher()

    async def alone() -> int:
        waiting = asyncio.ensure_future(batcher.predict(model, inputs(model, 1)))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(alone()) <= 3  # its task starts, its product runs, its task goes on


def test_two_models_are_not_mixed(model: Model) -> None:
    other = finished(events_of(spec_of(training={"epochs": 1}, seed=9), toy("three classes"))).model
    X = inputs(model, 1)

    async def both() -> list[np.ndarray]:
        return list(await asyncio.gather(DynamicBatcher().predict(model, X), DynamicBatcher().predict(other, X)))

    first, second = asyncio.run(both())
    assert (first == model.answers(X)).all() and (second == other.answers(X)).all() and (first != second).any()


def test_what_arrives_during_a_long_product_goes_together_after_it(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_batching, "INLINE", 0)  # every product is a long one
    batcher, X = DynamicBatcher(), inputs(model, 1)

    async def in_waves() -> list[np.ndarray]:
        arrived = Event()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(arrived.wait)  # before it, no product is made
            asyncio.get_running_loop().set_default_executor(pool)
            waves = []
            for size in (1, 5):
                waves += [asyncio.ensure_future(batcher.predict(model, X)) for _ in range(size)]
                await asyncio.sleep(0)
                await asyncio.sleep(0)  # a product is asked for
            arrived.set()
            return list(await asyncio.gather(*waves))

    assert all((answers == model.answers(X)).all() for answers in asyncio.run(in_waves()))
    assert batcher.requests == 6 and batcher.products == 2


def test_a_client_that_left_is_forgotten(model: Model) -> None:
    batcher = DynamicBatcher()

    async def one_leaves() -> np.ndarray:
        gone = asyncio.ensure_future(batcher.predict(model, inputs(model, 1)))
        stays = asyncio.ensure_future(batcher.predict(model, inputs(model, 2)))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert len(asyncio.run(one_leaves())) == 2
