"""Pictures in tensors of BYTES: a row each, as their bytes or as base64."""

from collections.abc import Mapping

from pydantic import JsonValue

from engine import Model
from service.inference.datatypes import BYTES
from service.inference.refusal import refused
from service.inference.request import Tensor
from service.predictions.pictures import picture_feature


def picture_rows(model: Model, tensors: Mapping[str, Tensor]) -> list[list[JsonValue]] | None:
    """The rows that the one tensor of a model's pictures is; None where tensors hold no pictures.

    Refused for bytes that are text to the model and are not UTF-8, and for a tensor of several values a row.
    """
    feature = picture_feature(model)
    for tensor in tensors.values():
        if tensor.datatype != BYTES:
            continue
        values, where = tensor.array.reshape(-1).tolist(), f"/inputs/{tensor.place}"
        if feature is None:
            for number, value in enumerate(values):
                if isinstance(value, bytes):
                    raise refused(where, f"holds text {number}, which is not UTF-8")
        elif len(tensors) == 1:
            if len(values) != len(tensor.array):
                raise refused(f"{where}/shape", f"is {list(tensor.array.shape)}; pictures take [rows] or [rows, 1]")
            return [[value] for value in values]
    return None
