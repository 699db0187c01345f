"""A trained network that predicts: parameters, preprocessor and spec, in one safetensors file."""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from engine.data.encoding.preprocessor import Preprocessor
from engine.data.storage.tensor_file import write_tensors
from engine.errors import DataError, RowError
from engine.evaluation import as_probabilities
from engine.network import Network
from engine.parameters import Parameters
from engine.predictor import Predictor
from engine.spec import JobSpec

BLOCK = 1024  # rows of a large array that are prepared and answered at a time

FORMAT = 2
Row: TypeAlias = Mapping[str, object] | Sequence[object]
Prediction: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Model:
    """What a run leaves behind; it may be shared between threads."""

    spec: JobSpec
    preprocessor: Preprocessor
    parameters: Parameters
    network: Network

    @property
    def weights_sha256(self) -> str:
        return self.parameters.sha256()

    @cached_property
    def predictor(self) -> Predictor:
        """The network at work; a row gets the same bits alone and among others."""
        return Predictor(self.network, self.parameters)

    def inputs(self, rows: Sequence[Row] | NDArray[np.generic]) -> NDArray[np.floating]:
        """Prepared inputs (m × n_in) of raw rows; raises RowError naming row and field for what cannot be read."""
        return self.preprocessor.rows(rows, self.parameters.theta.dtype)

    def answers(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """Probabilities (m × C) or values (m × k) for prepared inputs X (m × n_in)."""
        prepared = np.ascontiguousarray(X, self.parameters.theta.dtype)
        return as_probabilities(self.network, self.predictor(prepared))

    def answers_to(self, rows: Sequence[Row] | NDArray[np.generic]) -> NDArray[np.floating]:
        """`answers(inputs(rows))`, to the bit.

        A large array is taken a block at a time, whose inputs stay in the cache, by as many threads as there are cores.
        """
        if not isinstance(rows, np.ndarray) or len(rows) <= BLOCK:
            return self.answers(self.inputs(rows))
        starts = range(0, len(rows), BLOCK)
        threads = min(cores(), len(starts))
        share = -(-len(starts) // threads) * BLOCK
        parts = [rows[start : start + share] for start in range(0, len(rows), share)]
        try:
            with ThreadPoolExecutor(threads) as pool:
                return np.concatenate([block for part in pool.map(self._blocks, parts) for block in part])
        except RowError:  # which counts from the start of its block
            return self.answers(self.inputs(rows))

    def _blocks(self, rows: NDArray[np.generic]) -> list[NDArray[np.floating]]:
        """The answers to some rows, block by block."""
        dtype = self.parameters.theta.dtype
        X = np.empty((BLOCK, self.preprocessor.n_in), dtype)
        blocks = (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
        return [self.answers(self.preprocessor.rows(block, dtype, X)) for block in blocks]

    def predict(self, rows: Sequence[Row] | NDArray[np.generic]) -> list[Prediction]:
        """Predict raw rows, each an object keyed by feature or a plain array of all features in order.

        Returns {"label", "probabilities"} for classes, {"labels", "probabilities"} for several labels,
        {"value"} for a number. Raises RowError naming row and field for what cannot be read.
        """
        return self.predictions(self.answers(self.inputs(rows))) if len(rows) else []

    def predictions(self, answers: NDArray[np.floating]) -> list[Prediction]:
        """What `predict` returns, of answers; RowError where one is not finite."""
        check_finite(answers)
        kind, names = self.network.target.kind, self.network.target.labels
        listed = answers.astype(np.float64).tolist()
        if kind == "classes":
            classes = self.preprocessor.classes
            return [
                {"label": classes[best], "probabilities": dict(zip(names, p, strict=True))}
                for best, p in zip(np.argmax(answers, axis=1).tolist(), listed, strict=True)
            ]
        if kind == "multilabel":
            return [
                {
                    "labels": [name for name, q in zip(names, p, strict=True) if q > 0.5],
                    "probabilities": dict(zip(names, p, strict=True)),
                }
                for p in listed
            ]
        return [{"value": p[0] if len(p) == 1 else p} for p in listed]

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; the same model gives the same bytes."""
        tensors = {f"parameters/{name}": array for name, array in self.parameters.named().items()}
        tensors |= {f"preprocessor/{name}": array for name, array in self.preprocessor.arrays().items()}
        metadata = {
            "format": FORMAT,
            "spec": self.spec.model_dump(mode="json"),
            "preprocessor": self.preprocessor.to_json(),
        }
        write_tensors(Path(path), tensors, {"model": json.dumps(metadata, sort_keys=True)})


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_finite(answers: NDArray[np.floating]) -> None:
    """RowError naming the first row whose answer is no number."""
    if not np.isfinite(answers).all():
        number = int(np.argwhere(~np.isfinite(answers))[0][0])
        raise RowError(number, "", f"row {number} holds numbers too large for this model; send smaller ones")


def load(path: str | Path) -> Model:
    """Read a model that `Model.save` wrote; nothing is unpickled.

    Raises DataError for a file that is not such a model.
    """
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        try:
            description = json.loads(metadata["model"])
            kind = description["format"]
        except (KeyError, TypeError, ValueError) as error:  # others' files have metadata, too
            raise DataError(f"{Path(path).name} is a safetensors file, but not a model that was saved here") from error
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    if kind != FORMAT:
        raise DataError(f"{Path(path).name} has format {kind}, this version reads {FORMAT}")
    groups: dict[str, dict[str, NDArray[Any]]] = {"parameters": {}, "preprocessor": {}}
    for name, array in tensors.items():
        group, _, rest = name.partition("/")
        groups[group][rest] = array
    spec = JobSpec.model_validate(description["spec"])
    preprocessor = Preprocessor.from_json(description["preprocessor"], groups["preprocessor"])
    network = Network.of(spec, preprocessor)
    parameters = network.parameters(spec.precision)
    parameters.load(groups["parameters"])
    return Model(spec, preprocessor, parameters, network)
