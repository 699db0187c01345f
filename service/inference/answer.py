"""An inference answer on its way to the wire: JSON, and behind it the tensors that are asked for as bytes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_json

from engine import Model
from engine.data.encoding.row_reading import NO_MARKS, RowMarks
from engine.model import check_finite
from engine.serving import refusal_of_threshold
from service.inference.datatypes import BYTES, Values, name_of, packed
from service.inference.refusal import refused
from service.inference.request import DecodedRequest, RequestOutput
from service.inference.signature import outputs, ranked
from service.predictions.resolution import Resolved

JSON, OCTETS = "application/json", "application/octet-stream"


class ResponseOutput(BaseModel):
    """A tensor that was predicted."""

    model_config = ConfigDict(json_schema_mode_override="validation")  # what is optional may be left out

    name: str
    datatype: str
    shape: list[int]
    data: list[JsonValue] = Field(default_factory=list, description="in row-major order, flat; not there for bytes")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="`binary_data_size`: bytes of this output behind the JSON",
    )


class InferenceResponse(BaseModel):
    """An inference answer of the Open Inference Protocol."""

    model_config = ConfigDict(json_schema_mode_override="validation")  # what is optional may be left out

    model_name: str
    model_version: str
    id: str | None = Field(None, description="of the request, if it had one")
    parameters: dict[str, str] = Field(
        default_factory=dict,
        description="not there when there is nothing to say: `filled`, `unseen` and `outside`, each a JSON text of "
        '{"row": [inputs]}: what was missing and filled in, whose label no training row had, whose number is far '
        "outside the training range; `ignored`, a JSON text of the inputs that the model does not know",
    )
    outputs: list[ResponseOutput]


class EncodedResponse(NamedTuple):
    """A body, its media type, and how many of its bytes are JSON where others follow."""

    body: bytes
    media_type: str
    json_bytes: int | None


def written(
    resolved: Resolved,
    request: DecodedRequest,
    answers: NDArray[np.floating],
    marks: RowMarks = NO_MARKS,
    ignored: Sequence[str] = (),
) -> EncodedResponse:
    """The answer to a request, of a model's answers to its rows; refused for an output that there is not."""
    said = {kind: to_json(names).decode() for kind, names in marks.by_kind.items()}
    if ignored:
        said["ignored"] = to_json(ignored).decode()
    check_finite(answers)
    tensors = outputs(resolved.model, answers, _threshold(resolved, request))
    described: list[Mapping[str, object]] = []
    parts: list[bytes] = []
    for wanted, array in _chosen(resolved.model, request.outputs, tensors):
        datatype = name_of(array)
        about: dict[str, object] = {"name": wanted.name, "datatype": datatype, "shape": list(array.shape)}
        binary = wanted.parameters.binary_data
        if request.binary if binary is None else binary:
            part = packed(array)
            parts.append(part)
            described.append({**about, "parameters": {"binary_data_size": len(part)}})
        else:
            flat = array.reshape(-1)
            described.append({**about, "data": [str(t) for t in flat] if datatype == BYTES else flat.tolist()})
    head = to_json(
        {
            "model_name": resolved.name,
            "model_version": str(resolved.version),
            **({} if request.id is None else {"id": request.id}),
            **({"parameters": said} if said else {}),
            "outputs": described,
        }
    )
    if not parts:
        return EncodedResponse(head, JSON, None)
    return EncodedResponse(b"".join([head, *parts]), OCTETS, len(head))


def _threshold(resolved: Resolved, request: DecodedRequest) -> float | None:
    """That of the request, or else of the version; refused where the model has nothing to decide with one."""
    target = resolved.model.network.target
    if request.threshold is None:
        return resolved.serving.threshold
    if (why := refusal_of_threshold(target.kind, len(target.labels))) is not None:
        raise refused("/parameters/threshold", why)
    return request.threshold


def _chosen(
    model: Model, wanted: Sequence[RequestOutput] | None, tensors: Mapping[str, Values]
) -> list[tuple[RequestOutput, Values]]:
    if wanted is None or not wanted:
        return [(RequestOutput(name=name), array) for name, array in tensors.items()]
    chosen: list[tuple[RequestOutput, Values]] = []
    for place, one in enumerate(wanted):
        if one.name not in tensors:
            raise refused(
                f"/outputs/{place}/name", f"{one.name[:80]!r} is no output of this model; it has {', '.join(tensors)}"
            )
        array = tensors[one.name]
        if most := one.parameters.classification:
            if one.name != "probabilities":
                raise refused(
                    f"/outputs/{place}/parameters/classification",
                    f"ranks probabilities, and {one.name!r} has none"
                    + ("; ask for it of 'probabilities'" if "probabilities" in tensors else ""),
                )
            array = ranked(model, np.asarray(array, np.float64), most)
        chosen.append((one, array))
    return chosen
