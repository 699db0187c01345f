"""Weights that were trained elsewhere, under the names that they have here: W1 b1 gamma1 beta1 mean1 variance1 W2 ….

| here | PyTorch: state dict of `Sequential` | Keras: weights by path | Keras: `savez(file, *model.get_weights())` |
| --- | --- | --- | --- |
| Wk (n_in × n_out) | `i.weight`, transposed | `dense_i/kernel` | the k-th `arr_i` of two axes |
| bk | `i.bias` | `dense_i/bias` | one vector behind it |
| gammak, betak | `i.weight`, `i.bias` | `batch_normalization_i/gamma`, `…/beta` | four vectors behind those: gamma, |
| meank, variancek | `i.running_mean`, `i.running_var` | `…/moving_mean`, `…/moving_variance` | beta, mean, variance |

k counts dense layers from 1, i is the other library's number. A common prefix (`net.0.weight`, `model/dense/kernel:0`)
is no matter. PyTorch's running variance is the unbiased one (÷ (m − 1)); it is taken as it is, so that predictions
agree, and later batches add biased ones.
"""

import re
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

Origin = Literal["auto", "native", "pytorch", "keras"]
Tensors = Mapping[str, NDArray[np.float64]]
Renamed = dict[str, NDArray[np.float64]]

OWN = re.compile(r"(?:parameters/)?((?:W|b|gamma|beta|mean|variance|batches)\d+(?:_\d+)?)")
BESIDE_OWN = re.compile(r"preprocessor/.*|normalize_.*|description")  # what else an exported model holds
TORCH = re.compile(r"(.*?)(\d+)\.(weight|bias|running_mean|running_var|num_batches_tracked)")
KERAS = re.compile(r"(?:.*/)?([^/]*?)(?:_(\d+))?/(kernel|bias|gamma|beta|moving_mean|moving_variance)(?::0)?")
KERAS_LIST = re.compile(r"arr_(\d+)")
AVERAGED = {"gamma": "gamma", "beta": "beta", "moving_mean": "mean", "moving_variance": "variance"}
MANY_BATCHES = 1e6  # stands for a count that is not told: the averages then move as if they had long settled

NAMES = (
    "W1, b1, W2, … gamma1, beta1 (native), 0.weight, 0.bias, 2.weight, … (a PyTorch Sequential), or "
    "dense/kernel, dense/bias, dense_1/kernel, … or arr_0, arr_1, … (Keras)"
)


def as_own(tensors: Tensors, origin: Origin = "auto") -> Renamed:
    """The tensors under our own names, W as n_in × n_out; the names say where they come from if nobody else does.

    Raises DataError naming the tensor that has no place.
    """
    ways = {"native": _own, "pytorch": _torch, "keras": _keras}
    return ways[_origin(tensors) if origin == "auto" else origin](tensors)


def _origin(tensors: Tensors) -> str:
    marks = {"pytorch": (TORCH,), "keras": (KERAS, KERAS_LIST)}
    for origin, patterns in marks.items():
        if any(pattern.fullmatch(name) for name in tensors for pattern in patterns):
            return origin
    return "native"


def _own(tensors: Tensors) -> Renamed:
    found: Renamed = {}
    for name, tensor in tensors.items():
        if match := OWN.fullmatch(name):
            found[match[1]] = tensor
        elif not BESIDE_OWN.fullmatch(name):
            raise _misnamed(name)
    return found


def _torch(tensors: Tensors) -> Renamed:
    modules: dict[int, dict[str, NDArray[np.float64]]] = {}
    prefixes = set()
    for name, tensor in tensors.items():
        match = TORCH.fullmatch(name)
        if match is None:
            raise _misnamed(name)
        prefixes.add(match[1])
        modules.setdefault(int(match[2]), {})[match[3]] = tensor
    if len(prefixes) > 1:
        shown = " and ".join(repr(prefix) for prefix in sorted(prefixes)[:2])
        raise DataError(f"the modules {shown} are numbered apart; put all layers into one torch.nn.Sequential")
    found: Renamed = {}
    dense = 0
    for number, module in sorted(modules.items()):
        weight = module.get("weight", np.empty(()))
        if "running_mean" in module:
            averaged = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
            if missing := [name for name in averaged.values() if name not in module]:
                raise DataError(f"the batch norm {number} lacks {', '.join(missing)}; batch norm needs all four here")
            batches = module.get("num_batches_tracked", np.array(MANY_BATCHES))
            _put_batch_norm(found, dense, {own: module[name] for own, name in averaged.items()}, batches)
        elif weight.ndim == 2:
            dense += 1
            found[f"W{dense}"] = weight.T
            if "bias" in module:
                found[f"b{dense}"] = module["bias"]
        else:
            raise DataError(
                f"'{number}.weight' has {weight.ndim} axes; Linear has two, and BatchNorm1d has running averages "
                "beside it: other layers have no counterpart here"
            )
    return found


def _keras(tensors: Tensors) -> Renamed:
    if any(KERAS_LIST.fullmatch(name) for name in tensors):
        return _keras_list(tensors)
    dense: dict[int, dict[str, NDArray[np.float64]]] = {}
    norms: dict[int, dict[str, NDArray[np.float64]]] = {}
    stems: dict[int, set[str]] = {id(dense): set(), id(norms): set()}
    for name, tensor in tensors.items():
        match = KERAS.fullmatch(name)
        if match is None:
            raise _misnamed(name)
        layers = norms if match[3] in AVERAGED else dense
        stems[id(layers)].add(match[1])
        layers.setdefault(int(match[2] or 0), {})[match[3]] = tensor
    if named := next((stem for stem in stems.values() if len(stem) > 1), None):
        raise DataError(
            f"the layers {', '.join(sorted(named))} do not say in which order they come; name them alike with numbers "
            "(dense, dense_1), or save with numpy.savez(file, *model.get_weights())"
        )
    if norms and len(norms) != len(dense) - 1:
        raise DataError(
            f"{len(norms)} batch norms do not say which of {len(dense)} dense layers they follow; save with "
            "numpy.savez(file, *model.get_weights())"
        )
    found: Renamed = {}
    for number, (_, layer) in enumerate(sorted(dense.items()), 1):
        if "kernel" not in layer:
            raise DataError(f"the dense layer {number} has a bias and no kernel")
        found[f"W{number}"] = layer["kernel"]
        if "bias" in layer:
            found[f"b{number}"] = layer["bias"]
    for number, (_, norm) in enumerate(sorted(norms.items()), 1):
        if missing := [name for name in AVERAGED if name not in norm]:
            raise DataError(f"the batch norm {number} lacks {', '.join(missing)}; batch norm needs all four here")
        _put_batch_norm(found, number, {own: norm[name] for name, own in AVERAGED.items()}, np.array(MANY_BATCHES))
    return found


def _keras_list(tensors: Tensors) -> Renamed:
    """Arrays in the order of `get_weights`: a kernel, then its bias, then a batch norm's four vectors."""
    order: dict[int, NDArray[np.float64]] = {}
    for name, tensor in tensors.items():
        match = KERAS_LIST.fullmatch(name)
        if match is None:
            raise _misnamed(name)
        order[int(match[1])] = tensor
    found: Renamed = {}
    dense, vectors = 0, list[NDArray[np.float64]]()

    def place() -> None:
        bias, norms = len(vectors) % 4, vectors[len(vectors) % 4 :]
        if bias > 1 or (not dense and bias):
            raise DataError(
                f"{len(vectors)} vectors follow dense layer {dense}; a bias is one, and a batch norm is four: gamma, "
                "beta, mean and variance"
            )
        if bias:
            found[f"b{dense}"] = vectors[0]
        for start in range(0, len(norms), 4):
            four = dict(zip(AVERAGED.values(), norms[start : start + 4], strict=True))
            _put_batch_norm(found, dense, four, np.array(MANY_BATCHES))
        vectors.clear()

    for _, tensor in sorted(order.items()):
        if tensor.ndim == 2:
            place()
            dense += 1
            found[f"W{dense}"] = tensor
        else:
            vectors.append(tensor)
    place()
    return found


def _put_batch_norm(
    found: Renamed, dense: int, four: Mapping[str, NDArray[np.float64]], batches: NDArray[np.float64]
) -> None:
    """The batch norm behind this dense layer; a second one behind the same is called gamma1_2, as in a network."""
    place, again = str(dense), 2
    while f"gamma{place}" in found:
        place, again = f"{dense}_{again}", again + 1
    found.update({f"{own}{place}": tensor for own, tensor in four.items()})
    found[f"batches{place}"] = batches.reshape(1)


def _misnamed(name: str) -> DataError:
    return DataError(f"{name[:80]!a} is no name of a parameter; they are called {NAMES}")
