"""One contestant in a process of its own: it trains an epoch for every line it reads, and answers with the seconds.

`python -m benchmarks.training.contestants NAME HIDDEN BATCH EXAMPLES THREADS [regularized]`. All train by Adam in
float32, with the same batches of a new random order every epoch; `regularized` puts batch norm and dropout behind
every hidden layer. `engine-mkl` is the engine with the products of the MKL whose path is in the variable MKL.
"""

import json
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.training.shapes import CLASSES, KEEP, RATE, Shape, examples

if TYPE_CHECKING:
    from engine import JobSpec, PreparedData
    from engine.training import Run

Epoch = Callable[[], object]


def engine(shape: Shape, threads: int, regularized: bool) -> Epoch:
    """The steps of an epoch, as a job takes them."""
    return epochs_of(run_of(*job(shape, regularized)))


def engine_mkl(shape: Shape, threads: int, regularized: bool) -> Epoch:
    """The same, as it is where the extra `mkl` is installed."""
    from engine.kernels import blas, mkl

    blas.use(mkl.Mkl(Path(os.environ["MKL"])))
    return engine(shape, threads, regularized)


def document(shape: Shape, regularized: bool = False, **training: object) -> dict[str, object]:
    """The job that trains this network, as it is sent."""
    layers: list[dict[str, object]] = []
    for units in shape.hidden:
        norm, drop = [{"type": "batch_norm"}], [{"type": "dropout", "keep_prob": KEEP}]
        layers += [{"type": "dense", "units": units}, *(norm if regularized else []), {"type": "relu"}]
        layers += drop if regularized else []
    return {
        "data": {"train": "made", "target": "label"},
        "layers": layers, "optimizer": {"type": "adam", "learning_rate": RATE},
        "training": {"batch_size": shape.batch, "epochs": 1000} | training, "checks": {"gradients": []},
    }  # fmt: skip


def job(shape: Shape, regularized: bool = False) -> "tuple[JobSpec, PreparedData]":
    """The job and its data, all of which is there to train on."""
    from engine import Dataset, JobSpec, Table, prepare

    spec = JobSpec.model_validate(document(shape, regularized))
    x, y = examples(shape.examples)
    return spec, prepare(spec.data, {"made": Dataset({"train": Table({"x": x, "label": y})})}, dtype="float32")


def run_of(spec: "JobSpec", data: "PreparedData") -> "Run":
    from engine import Network, RandomStreams
    from engine.training import Run

    return Run(Network.of(spec, data.preprocessor), spec, data, None, None, RandomStreams(0))


def epochs_of(run: "Run") -> Epoch:
    """The steps of the next epoch, and nothing else."""
    sums, done = np.zeros(8), [0]

    def epoch() -> None:
        done[0] += 1
        for portion in run.portions(done[0]):
            for taken in run.descent.run(portion, run.batch_size, lambda t: RATE, run.step + 1, sums):
                run.step += taken

    return epoch


def floor(shape: Shape, threads: int, regularized: bool) -> Epoch:
    """The matrix products of an epoch, and nothing else, through NumPy."""
    generator, widths = np.random.default_rng(0), shape.widths
    A = [generator.random((shape.batch, n), np.float32) for n in widths]
    W = [generator.random((k, n), np.float32) for k, n in pairwise(widths)]
    Z, dW = [np.zeros_like(a) for a in A], [np.zeros_like(w) for w in W]

    def epoch() -> None:
        for _ in range(shape.examples // shape.batch):
            for i, w in enumerate(W):
                np.matmul(A[i], w, out=Z[i + 1])
            for i in range(len(W) - 1, -1, -1):
                np.matmul(A[i].T, A[i + 1], out=dW[i])
                if i:
                    np.matmul(A[i + 1], W[i].T, out=Z[i])

    return epoch


def jax(shape: Shape, threads: int, regularized: bool) -> Epoch:
    """One compiled function for the whole epoch: a scan over its batches, parameters donated."""
    import jax as j
    import jax.numpy as jnp

    x, y = (j.device_put(a) for a in examples(shape.examples))
    keys = j.random.split(j.random.PRNGKey(0), len(shape.widths))
    parameters: Any = [
        {"W": j.random.normal(key, (k, n)) * (2 / k) ** 0.5, "b": jnp.zeros(n)}
        | ({"gamma": jnp.ones(n), "mean": jnp.zeros(n), "variance": jnp.ones(n)} if regularized else {})
        for key, k, n in zip(keys, shape.widths, shape.widths[1:], strict=False)
    ]

    def cost(parameters: Any, X: Any, Y: Any, key: Any) -> Any:
        A = X
        for number, p in enumerate(parameters[:-1]):
            Z = A @ p["W"]
            if regularized:
                mean, variance = Z.mean(axis=0), Z.var(axis=0)
                Z = (Z - mean) / jnp.sqrt(variance + 1e-5) * p["gamma"]
            A = j.nn.relu(Z + p["b"])
            if regularized:
                kept = j.random.bernoulli(j.random.fold_in(key, number), KEEP, A.shape)
                A = jnp.where(kept, A / KEEP, 0)
        Z = A @ parameters[-1]["W"] + parameters[-1]["b"]
        return (j.nn.logsumexp(Z, axis=1) - jnp.take_along_axis(Z, Y[:, None], axis=1)[:, 0]).mean()

    def step(state: Any, rows: Any) -> Any:
        parameters, v, s, t, key = state
        key, now = j.random.split(key)
        loss, g = j.value_and_grad(cost)(parameters, x[rows], y[rows], now)
        t = t + 1
        v = j.tree.map(lambda v, g: 0.9 * v + 0.1 * g, v, g)
        s = j.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, s, g)
        parameters = j.tree.map(
            lambda p, v, s: p - RATE * (v / (1 - 0.9**t)) / (jnp.sqrt(s / (1 - 0.999**t)) + 1e-8), parameters, v, s
        )
        return (parameters, v, s, t, key), loss

    scan = j.jit(lambda state, order: j.lax.scan(step, state, order), donate_argnums=0)
    zeros = j.tree.map(jnp.zeros_like, parameters)
    state = [(parameters, zeros, j.tree.map(jnp.zeros_like, parameters), jnp.float32(0), j.random.PRNGKey(1))]
    generator = np.random.default_rng(0)

    def epoch() -> None:
        order = generator.permutation(shape.examples).reshape(-1, shape.batch)
        state[0], losses = scan(state[0], order)
        losses.block_until_ready()

    return epoch


def torch(shape: Shape, threads: int, regularized: bool) -> Epoch:
    """The usual loop, eagerly, with the optimizer that updates all parameters at once."""
    import torch as t

    t.set_num_threads(threads)
    x, y = (t.from_numpy(a) for a in examples(shape.examples))
    modules: list[Any] = []
    for k, n in zip(shape.widths, shape.widths[1:-1], strict=False):
        modules += [t.nn.Linear(k, n, bias=not regularized), *([t.nn.BatchNorm1d(n)] if regularized else []),
                    t.nn.ReLU(), *([t.nn.Dropout(1 - KEEP)] if regularized else [])]  # fmt: skip
    network = t.nn.Sequential(*modules, t.nn.Linear(shape.hidden[-1], CLASSES))
    optimizer, loss = t.optim.Adam(network.parameters(), RATE), t.nn.CrossEntropyLoss()

    def epoch() -> None:
        for rows in t.randperm(shape.examples).split(shape.batch):
            optimizer.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            optimizer.step()

    return epoch


def sklearn(shape: Shape, threads: int, regularized: bool) -> Epoch:
    from sklearn.neural_network import MLPClassifier

    x, y = examples(shape.examples)
    network = MLPClassifier(shape.hidden, batch_size=shape.batch, alpha=0.0)
    network.partial_fit(x[: shape.batch], y[: shape.batch], classes=np.arange(CLASSES))
    return lambda: network.partial_fit(x, y)


CONTESTANTS = {
    "engine": engine,
    "engine-mkl": engine_mkl,
    "jax": jax,
    "torch": torch,
    "sklearn": sklearn,
    "floor": floor,
}


def main(name: str, hidden: str, batch: str, count: str, threads: str, *rest: str) -> None:
    if threads == "1":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    shape = Shape(tuple(int(units) for units in hidden.split("-")), int(batch), int(count))
    epoch = CONTESTANTS[name](shape, int(threads), "regularized" in rest)
    epoch()
    epoch()
    from threadpoolctl import threadpool_info

    blas = [f"{i['internal_api']} {i.get('version')} {i.get('architecture', '')} × {i['num_threads']}"
            for i in threadpool_info()]  # fmt: skip
    if name == "engine-mkl":
        from engine.kernels import blas as products

        blas.append(products.used.name if products.used else "no MKL")
    answer_orders(epoch, blas)


def answer_orders(work: Callable[[], object], about: object) -> None:
    """Say what there is to say, then do the work once for every line of input and answer with what it took."""
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        began, before = perf_counter(), process_time()
        work()
        print(json.dumps([perf_counter() - began, process_time() - before]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
