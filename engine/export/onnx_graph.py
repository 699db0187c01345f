"""An ONNX graph while it grows: nodes in order, each result named after what made it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

MACHINE_LEARNING = "ai.onnx.ml"


class Graph:
    """Nodes, constants, inputs and outputs; values go by their names."""

    def __init__(self) -> None:
        self.inputs: list[ValueInfoProto] = []
        self.outputs: list[ValueInfoProto] = []
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def input(self, name: str, dtype: DTypeLike, shape: Sequence[int]) -> str:
        """An input of any number of rows, each of this shape."""
        self.inputs.append(helper.make_tensor_value_info(name, _code(dtype), ["rows", *shape]))
        return name

    def output(self, name: str, value: str, dtype: DTypeLike, shape: Sequence[int]) -> None:
        """Make a value an output; a name that an input has already gets a stroke."""
        while any(info.name == name for info in self.inputs):
            name += "_"
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, _code(dtype), ["rows", *shape]))

    def constant(self, array: NDArray[np.generic]) -> str:
        name = f"/constant/{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def node(self, operator: str, *values: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one result, and return its name."""
        name = f"/{operator}/{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, values, [name], name=name, domain=domain, **attributes))
        return name

    def cast(self, value: str, dtype: DTypeLike) -> str:
        return self.node("Cast", value, to=_code(dtype))

    def made(self, name: str) -> GraphProto:
        return helper.make_graph(self._nodes, name, self.inputs, self.outputs, self._constants)


def _code(dtype: DTypeLike) -> int:
    kind = np.dtype(dtype)
    return TensorProto.STRING if kind.kind in "UO" else int(helper.np_dtype_to_tensor_dtype(kind))
