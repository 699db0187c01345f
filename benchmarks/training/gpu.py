"""`python -m benchmarks.training.gpu [float32|tf32]`: an epoch of 60 000 examples on a GPU, ours and PyTorch's.

784-512-512-10, batches of 128, Adam, a new random order every epoch, all examples on the device. PyTorch takes its
steps by `torch.compile(mode="reduce-overhead")`, which replays a CUDA graph as well, and an optimizer fused into one
kernel. Both take turns, epoch by epoch; the first ones, which compile and record, do not count.
"""

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from engine import Dataset, JobSpec, Network, RandomStreams, Table, placed, prepare
from engine.devices import gpu
from engine.errors import DeviceUnavailable
from engine.training import Run

EXAMPLES, INPUTS, CLASSES, HIDDEN, BATCH, RATE = 60_000, 784, 10, (512, 512), 128, 1e-3
TARGET_MS = 25.0  # on an H200
WARM, TIMED = 3, 15

Epoch = Callable[[], None]


def examples() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x = np.random.default_rng(0).random((EXAMPLES, INPUTS), np.float32)
    return x, x[:, :CLASSES].argmax(axis=1).astype(np.int64)


def ours(tf32: bool) -> Epoch:
    """The steps of an epoch, as a job takes them, until their cost is known."""
    x, y = examples()
    layers = [layer for n in HIDDEN for layer in ({"type": "dense", "units": n}, {"type": "relu"})]
    spec = JobSpec.model_validate({
        "data": {"train": "d", "target": "label"}, "layers": layers, "device": "gpu", "tf32": tf32,
        "optimizer": {"type": "adam", "learning_rate": RATE},
        "training": {"batch_size": BATCH, "epochs": 1000}, "checks": {"gradients": []},
    })  # fmt: skip
    data = prepare(spec.data, {"d": Dataset({"train": Table({"x": x, "label": y})})}, dtype="float32")
    network = Network.of(spec, data.preprocessor)
    run, done = Run(network, spec, data, None, None, RandomStreams(0), placement=placed(network, spec)), [0]

    def epoch() -> None:
        done[0] += 1
        sums = np.zeros(8)
        for portion in run.portions(done[0]):
            for taken in run.descent.run(portion, BATCH, lambda t: RATE, run.step + 1, sums):
                run.step += taken
        run.descent.settle(sums)
        assert np.isfinite(sums).all()

    return epoch


def torch(tf32: bool) -> Epoch:
    """One compiled function for forward and backward, and a fused optimizer."""
    import torch as t

    t.set_float32_matmul_precision("high" if tf32 else "highest")
    x, y = (t.from_numpy(a).cuda() for a in examples())
    sizes = (INPUTS, *HIDDEN)
    hidden = [one for k, n in zip(sizes, HIDDEN, strict=False) for one in (t.nn.Linear(k, n), t.nn.ReLU())]
    network = t.nn.Sequential(*hidden, t.nn.Linear(HIDDEN[-1], CLASSES)).cuda()
    optimizer = t.optim.Adam(network.parameters(), RATE, fused=True, capturable=True)
    loss = t.nn.CrossEntropyLoss()

    @t.compile(mode="reduce-overhead")
    def cost(rows: t.Tensor) -> t.Tensor:
        return loss(network(x[rows]), y[rows])

    def epoch() -> None:
        total = t.zeros((), device="cuda")
        for rows in t.randperm(EXAMPLES, device="cuda").split(BATCH):
            t.compiler.cudagraph_mark_step_begin()
            optimizer.zero_grad()
            value = cost(rows)
            value.backward()
            optimizer.step()
            total += value.detach() * len(rows)
        assert np.isfinite(total.item())  # waits for all of it

    return epoch


def main(precision: str = "float32") -> int:
    """Print the median epoch of each; 1 where ours misses its target, 2 where there is no GPU."""
    try:
        device = gpu()
    except DeviceUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    contestants = {"engine": ours(precision == "tf32")}
    try:
        contestants["torch"] = torch(precision == "tf32")
    except ImportError:
        print("PyTorch is not installed: ours alone", file=sys.stderr)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(WARM + TIMED):
        for name, epoch in contestants.items():
            began = perf_counter()
            epoch()
            if number >= WARM:
                seconds[name].append(perf_counter() - began)
    print(f"{device.name}, {precision}: 784-512-512-10, batch {BATCH}, Adam, {EXAMPLES} examples")
    for name, times in seconds.items():
        print(
            f"{name:8} {1e3 * median(times):8.1f} ms an epoch  (from {1e3 * min(times):.1f} to {1e3 * max(times):.1f})"
        )
    return int(1e3 * median(seconds["engine"]) > TARGET_MS)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
