"""Files of named arrays that a network can start from: NPZ and safetensors, never unpickled."""

import re
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from engine.data.formats.limits import ReadLimits
from engine.data.formats.npz.npz_format import read_arrays
from engine.errors import DataError
from engine.foreign_weights import NAMES, Origin, as_own

NPZ, SAFETENSORS = "application/x-npz", "application/vnd.safetensors"
MEDIA_TYPES = (NPZ, SAFETENSORS)
TENSOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}")
DTYPES = {"F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64"}

Tensors = dict[str, NDArray[np.float64]]


def read_parameters(path: Path, media_type: str, limits: ReadLimits, origin: Origin = "auto") -> Tensors:
    """The arrays by our own names, in float64, whoever wrote them; DataError names the one that cannot be used."""
    read = _read_npz(path, limits) if media_type == NPZ else _read_safetensors(path, limits)
    tensors = as_own(read, origin)
    if not tensors:
        raise DataError("the file holds no array; it needs W1, b1, W2, b2, … of the network")
    return tensors


def _read_npz(path: Path, limits: ReadLimits) -> Tensors:
    arrays = read_arrays(path, limits, TENSOR, NAMES)
    return {name: np.ascontiguousarray(array, np.float64) for name, array in arrays.items()}


def _read_safetensors(path: Path, limits: ReadLimits) -> Tensors:
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            slices = {_checked(name): file.get_slice(name) for name in names}
            for name, part in slices.items():
                if part.get_dtype() not in DTYPES or len(part.get_shape()) > 4:
                    raise DataError(f"{name!r} is {part.get_dtype()} of {len(part.get_shape())} axes; store F64 or F32")
            _check_size(len(names), sum(8 * prod(part.get_shape()) for part in slices.values()), limits)
            tensors = {name: np.ascontiguousarray(file.get_tensor(name), np.float64) for name in names}
    except SafetensorError as error:
        raise DataError(f"the file is no safetensors file: {error}") from None
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise DataError(f"{name!r} holds NaN or infinity; every parameter must be finite")
    return tensors


def _checked(name: str) -> str:
    if not TENSOR.fullmatch(name):
        raise DataError(f"{name[:80]!a} is no name of a parameter; they are called {NAMES}")
    return name


def _check_size(members: int, size: int, limits: ReadLimits) -> None:
    if members > limits.max_members:
        raise DataError(f"the file holds {members} arrays; at most {limits.max_members} are allowed")
    if size > limits.max_expanded_bytes:
        raise DataError(f"the file expands to {size} bytes; at most {limits.max_expanded_bytes} are allowed")
