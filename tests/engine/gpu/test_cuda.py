"""The code that speaks to CuPy: what is recorded, replayed, copied and waited for, on a GPU and on a played one."""

import numpy as np
import pytest

import engine.gpu.kernel
from engine import EpochEnded, Placement, train
from engine.devices import gpu
from engine.errors import OutOfMemory
from engine.gpu.cuda import PLAIN_MATH, TF32_MATH, Gpu
from tests.engine.gpu.compiled_text import COMPILER
from tests.engine.gpu.fake_cupy import FakeCupy
from tests.engine.gpu.test_steps import ALL, BATCHES, DENSE, DROP, NORM, assert_same, trained
from tests.engine.gpu.test_training import DEEP, assert_alike, events_on
from tests.engine.jobs import prepared, spec_of, toy

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="the kernels are compiled as C++, and there is no g++")
EVERYTHING = {"layers": [DENSE, NORM, *ALL[:4], DROP, DENSE, ALL[4], NORM, DROP], **BATCHES}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> FakeCupy:
    for constant, value in {"THREADS": 16, "LANES": 4, "HEIGHT": 4, "MOST_PARTS": 3}.items():
        monkeypatch.setattr(engine.gpu.kernel, constant, value)
    return FakeCupy()


@needs_compiler
def test_a_recorded_step_is_the_step(module: FakeCupy) -> None:
    assert_same(lambda: Gpu(module, module), **EVERYTHING)
    spec = spec_of(**DEEP)
    assert_alike(events_on(Gpu(module, module), spec), events_on(None, spec))


@needs_compiler
def test_every_batch_size_is_recorded_once_and_replayed_from_its_second_batch_on(module: FakeCupy) -> None:
    trained(lambda: Gpu(module, module), measure=False, epochs=3, **EVERYTHING)
    # three epochs of 16 + 16 + 16 + 12, from two feeds in turn: the first step of each size is taken piece by piece
    first = {(feed, size) for epoch in range(3) for feed in [epoch % 2] for size in (16, 12)}
    assert module.launches == 3 * 4 - len(first)
    assert module.graphs == 3  # 12 comes a second time in one of the feeds only


@needs_compiler
def test_nothing_waits_for_the_device_inside_an_epoch(module: FakeCupy) -> None:
    def waits(epochs: int) -> int:
        before = len(module.streams)
        trained(lambda: Gpu(module, module), measure=False, epochs=epochs, **EVERYTHING)
        return module.streams[before + 1].synchronized

    assert waits(9) == waits(3)  # only what there is before and after the steps


@needs_compiler
def test_products_are_rounded_as_the_spec_says(module: FakeCupy) -> None:
    for tf32, mode in ((False, PLAIN_MATH), (True, TF32_MATH)):
        trained(lambda: Gpu(module, module), epochs=1, tf32=tf32, **EVERYTHING)
        assert module.math[-1] == mode


@needs_compiler
def test_memory_that_cannot_be_had_is_told_with_figures() -> None:
    module = FakeCupy(memory=1000)
    with pytest.raises(OutOfMemory, match="of the memory of Fake GPU") as error:
        events_on(Gpu(module, module), spec_of(), toy())
    assert error.value.needed > error.value.available == 1000


@pytest.mark.gpu
def test_a_graph_replays_what_single_kernels_do_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    with_graphs, sums = trained(gpu, **EVERYTHING)
    monkeypatch.setattr(Gpu, "recorded", lambda self, enqueue: enqueue)
    without, costs = trained(gpu, **EVERYTHING)
    np.testing.assert_array_equal(with_graphs.parameters.theta, without.parameters.theta)
    np.testing.assert_array_equal(sums, costs)


@pytest.mark.gpu
def test_the_same_seed_gives_the_same_bits_on_a_gpu() -> None:
    np.testing.assert_array_equal(*(trained(gpu, **EVERYTHING)[0].parameters.theta for _ in range(2)))


@pytest.mark.gpu
def test_a_gpu_gives_no_memory_to_a_step() -> None:
    import cupy

    spec, used = spec_of(**DEEP), set()
    network, data = prepared(spec, toy())
    for event in train(network, spec, data, placement=Placement(gpu())):
        if isinstance(event, EpochEnded):
            used.add(cupy.get_default_memory_pool().used_bytes())
    assert len(used) == 1


@pytest.mark.gpu
def test_a_gpu_that_is_too_small_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import cupy

    pool = cupy.get_default_memory_pool()
    pool.set_limit(size=64 << 20)
    try:
        with pytest.raises(OutOfMemory, match="needs at least"):
            events_on(gpu(), spec_of(layers=[{"type": "dense", "units": 4000}, {"type": "dense", "units": 4000}]))
    finally:
        pool.set_limit(size=0)
