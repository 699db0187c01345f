"""An inference request off the wire: a JSON document, and behind it the bytes of the tensors that travel as such."""

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict

from engine.json_pointer import pointer
from service.http import fast_json
from service.http.problems import RequestRefused
from service.inference.datatypes import ALLOWED, BYTES, DTYPES, Values, unpacked
from service.inference.refusal import refused

MOST_TENSORS = 65_536
MOST = 2**31 - 1
Extent = Annotated[int, Field(ge=0, le=MOST)]
# Told, and not looked at: the size of the body bounds them.
NAME: JsonDict = {"maxLength": 1000}


class TensorParameters(BaseModel):
    """The parameters that are understood; others are for others."""

    model_config = ConfigDict(extra="ignore", strict=True)

    binary_data_size: Extent | None = Field(
        None, description="bytes of this input behind the JSON, in place of its data"
    )
    binary_data: bool | None = Field(None, description="of an output: as bytes behind the JSON")
    binary_data_output: bool | None = Field(None, description="of a request: every output that does not say, as bytes")
    threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="of a request: decides instead of the version's threshold"
    )
    classification: Extent | None = Field(None, description="of `probabilities`: so many labels, the likeliest first")


class RequestInput(BaseModel):
    """A tensor to predict from."""

    model_config = ConfigDict(extra="ignore", strict=True)

    name: str = Field(description="as the model's metadata names it", json_schema_extra=NAME)
    shape: list[Extent] = Field(min_length=1, max_length=8, description="rows first")
    datatype: str = Field(description="of the values", json_schema_extra={"enum": [*ALLOWED]})
    parameters: TensorParameters = TensorParameters()
    data: Any = Field(
        None,
        description="the values in row-major order, nested in the shape or flat",
        json_schema_extra={"type": "array", "items": {}, "maxItems": MOST},
    )


class RequestOutput(BaseModel):
    """An output that is asked for."""

    model_config = ConfigDict(extra="ignore", strict=True)

    name: str = Field(description="as the model's metadata names it", json_schema_extra=NAME)
    parameters: TensorParameters = TensorParameters()


class InferenceRequest(BaseModel):
    """An inference request of the Open Inference Protocol; bytes of inputs follow behind it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: Annotated[str, Field(max_length=MOST_TENSORS)] | None = Field(None, description="given back in the answer")
    parameters: TensorParameters = TensorParameters()
    inputs: list[RequestInput] = Field(min_length=1, max_length=MOST_TENSORS)
    outputs: Annotated[list[RequestOutput], Field(max_length=MOST_TENSORS)] | None = Field(
        None, description="those that are wanted; null: all"
    )


class Tensor(NamedTuple):
    """An input: its place in the request, its datatype and its values; text is an array of str objects."""

    place: int
    datatype: str
    array: Values


class DecodedRequest(NamedTuple):
    """A request that was read."""

    id: str | None
    inputs: Mapping[str, Tensor]
    outputs: list[RequestOutput] | None  # None: all of them
    binary: bool  # outputs that do not say go as bytes
    threshold: float | None = None


def read(body: bytes | bytearray, json_bytes: int | None) -> DecodedRequest:
    """The request in a body; json_bytes is what Inference-Header-Content-Length says, where it is sent.

    Refused (400) where it is not JSON, not an inference request, or its bytes do not add up.
    """
    if json_bytes is not None and json_bytes > len(body):
        raise RequestRefused(
            400, "malformed_body", "The body is not whole",
            f"Inference-Header-Content-Length is {json_bytes}, and the body has {len(body)} bytes",
        )  # fmt: skip
    document = _validated(fast_json.read(bytes(body if json_bytes is None else body[:json_bytes])))
    binary = memoryview(body)[len(body) if json_bytes is None else json_bytes :]
    tensors: dict[str, Tensor] = {}
    for place, one in enumerate(document.inputs):
        where = f"/inputs/{place}"
        if one.datatype not in ALLOWED:
            raise refused(f"{where}/datatype", f"is {one.datatype[:40]!r}; allowed are {', '.join(ALLOWED)}")
        if one.name in tensors:
            raise refused(f"{where}/name", f"is {one.name[:80]!r} a second time")
        size = one.parameters.binary_data_size
        if size is None:
            array = _listed(one, where)
        elif one.data is not None:
            raise refused(f"{where}/data", "stands beside binary_data_size; send one of them")
        elif size > len(binary):
            raise refused(
                f"{where}/parameters/binary_data_size", f"is {size}, and {len(binary)} bytes of the body are left"
            )
        else:
            array = unpacked(binary[:size], one.datatype, prod(one.shape), where)
            binary = binary[size:]
        tensors[one.name] = Tensor(place, one.datatype, array.reshape(one.shape))
    if len(binary):
        raise refused("", f"{len(binary)} bytes follow the last tensor")
    return DecodedRequest(
        document.id,
        tensors,
        document.outputs,
        bool(document.parameters.binary_data_output),
        document.parameters.threshold,
    )


def _validated(document: object) -> InferenceRequest:
    try:
        return InferenceRequest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise refused(pointer(first["loc"]), first["msg"]) from error


def _listed(one: RequestInput, where: str) -> Values:
    """Values in JSON, nested in the shape or flat."""
    if not isinstance(one.data, list):
        raise refused(f"{where}/data", "is missing; send a list of values, nested or flat, or binary_data_size")
    level: list[Any] = one.data
    for extent in one.shape[1:]:
        if not level or not isinstance(level[0], list):
            break
        if any(not isinstance(part, list) or len(part) != extent for part in level):
            raise refused(f"{where}/data", f"is not nested as its shape {one.shape} says")
        level = [leaf for part in level for leaf in part]
    if len(level) != prod(one.shape):
        raise refused(f"{where}/data", f"holds {len(level)} values; its shape {one.shape} says {prod(one.shape)}")
    kinds = set(map(type, level))
    if one.datatype == BYTES:
        if kinds - {str, type(None)}:
            raise refused(f"{where}/data", f"holds {_kind(kinds - {str, type(None)})}; BYTES are strings")
        texts = np.empty(len(level), object)
        texts[:] = level
        return texts
    if one.datatype == "BOOL":
        if kinds - {bool} and not (kinds <= {bool, int, float} and set(level) <= {0, 1}):
            raise refused(f"{where}/data", f"holds {_kind(kinds - {bool})}; BOOL is true or false")
        return np.array(level, np.bool_)
    dtype = DTYPES[one.datatype]
    # A missing number is NaN, for which JSON has no other word than null.
    allowed = {int, float, type(None)} if dtype.kind == "f" else {int}
    whole = dtype.kind != "f" and kinds <= {int, float} and all(value == int(value) for value in level)
    if kinds - allowed and not whole:
        raise refused(f"{where}/data", f"holds {_kind(kinds - allowed)}; {one.datatype} are numbers")
    try:
        return (
            np.array(level, np.float64).astype(dtype) if dtype.kind == "f" else np.array(list(map(int, level)), dtype)
        )
    except (OverflowError, ValueError):
        raise refused(f"{where}/data", f"holds a number beyond {one.datatype}") from None


def _kind(kinds: set[type]) -> str:
    names = {str: "text", bool: "true or false", float: "fractions", list: "lists", dict: "objects", type(None): "null"}
    return names.get(next(iter(kinds)), "other values")
