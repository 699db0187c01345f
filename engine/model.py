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
from engine.data.encoding.row_reading import NO_MARKS, RowMarks, joined
from engine.data.storage.tensor_file import write_tensors
from engine.errors import DataError, RowError
from engine.evaluation import as_probabilities
from engine.network import Network
from engine.parameters import Parameters
from engine.predictor import Predictor
from engine.serving import chosen_classes, chosen_labels
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
        return self.read(rows)[0]

    def read(self, rows: Sequence[Row] | NDArray[np.generic]) -> tuple[NDArray[np.floating], RowMarks]:
        """Prepared inputs (m × n_in) of raw rows, and what is to be said of the rows; raises as `inputs` does."""
        return self.preprocessor.rows(rows, self.parameters.theta.dtype)

    def answers(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """Probabilities (m × C) or values (m × k) for prepared inputs X (m × n_in)."""
        prepared = np.ascontiguousarray(X, self.parameters.theta.dtype)
        return as_probabilities(self.network, self.predictor(prepared))

    def answers_to(self, rows: Sequence[Row] | NDArray[np.generic]) -> tuple[NDArray[np.floating], RowMarks]:
        """`answers(inputs(rows))`, to the bit, and what is to be said of the rows.

        A large array is taken a block at a time, whose inputs stay in the cache, by as many threads as there are cores.
        """
        if not isinstance(rows, np.ndarray) or len(rows) <= BLOCK:
            X, marks = self.read(rows)
            return self.answers(X), marks
        starts = range(0, len(rows), BLOCK)
        threads = min(cores(), len(starts))
        share = -(-len(starts) // threads) * BLOCK
        parts = [(start, rows[start : start + share]) for start in range(0, len(rows), share)]
        try:
            with ThreadPoolExecutor(threads) as pool:
                blocks = [block for part in pool.map(self._blocks, parts) for block in part]
        except RowError:  # which counts from the start of its block
            X, marks = self.read(rows)
            return self.answers(X), marks
        return np.concatenate([answers for answers, _ in blocks]), joined([marks for _, marks in blocks])

    def _blocks(self, part: tuple[int, NDArray[np.generic]]) -> list[tuple[NDArray[np.floating], RowMarks]]:
        """The answers to some rows, the first of which has this number, and their marks, block by block."""
        first, rows = part
        dtype = self.parameters.theta.dtype
        out = np.empty((BLOCK, self.preprocessor.n_in), dtype)
        found = []
        for start in range(0, len(rows), BLOCK):
            X, marks = self.preprocessor.rows(rows[start : start + BLOCK], dtype, out)
            found.append((self.answers(X), marks.shifted(first + start)))
        return found

    def predict(self, rows: Sequence[Row] | NDArray[np.generic]) -> list[Prediction]:
        """Predict raw rows, each an object keyed by feature or a plain array of all features in order.

        Returns {"label", "probabilities"} for classes, {"labels", "probabilities"} for several labels, both where
        classes came as one-hot rows, {"value"} for a number; of a row with gaps or surprises also which fields were
        "filled", "unseen" and "outside" of what training met. Raises RowError naming row and field for what cannot be
        read.
        """
        if not len(rows):
            return []
        X, marks = self.read(rows)
        return self.predictions(self.answers(X), marks)

    def predictions(
        self, answers: NDArray[np.floating], marks: RowMarks = NO_MARKS, threshold: float | None = None
    ) -> list[Prediction]:
        """What `predict` returns, of answers, decided by the threshold if there is one; RowError for one not finite."""
        check_finite(answers)
        found = self._bare(answers, threshold)
        for kind, names in marks.by_kind.items() if marks is not NO_MARKS else ():
            for row, fields in names.items():
                found[row][kind] = fields
        return found

    def _bare(self, answers: NDArray[np.floating], threshold: float | None) -> list[Prediction]:
        kind, names = self.network.target.kind, self.network.target.labels
        listed = answers.astype(np.float64).tolist()
        if kind == "classes":
            classes = self.preprocessor.classes
            found: list[Prediction] = [
                {"label": classes[best], "probabilities": dict(zip(names, p, strict=True))}
                for best, p in zip(chosen_classes(answers, threshold).tolist(), listed, strict=True)
            ]
            if self.preprocessor.target.one_hot:  # columns of 0 and 1 are answered as such, too
                found = [{"label": one["label"], "labels": [one["label"]], **one} for one in found]
            return found
        if kind == "multilabel":
            return [
                {
                    "labels": [name for name, on in zip(names, chosen, strict=True) if on],
                    "probabilities": dict(zip(names, p, strict=True)),
                }
                for chosen, p in zip(chosen_labels(answers, threshold).tolist(), listed, strict=True)
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
