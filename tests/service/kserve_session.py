"""What a user of KServe's own client does. Run by the interpreter that has it: `python kserve_session.py URL`.

Prints one JSON document of all that the client returned.
"""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], np.float32)
VALUES = np.linspace(-1, 1, 20, dtype=np.float32).reshape(2, 10)
PEOPLE = {"age": ("FP64", [39.0, 61.0]), "work": ("BYTES", ["State-gov", "Never-seen"]), "sex": ("BOOL", [True, False])}


def matrix(name: str, array: np.ndarray, *, binary: bool) -> InferRequest:
    given = InferInput("input", list(array.shape), "FP32")
    given.set_data_from_numpy(array, binary_data=binary)
    asked = {"binary_data": True}
    outputs = [RequestedOutput(output, asked) for output in ("label", "probabilities")] if binary else None
    return InferRequest(name, [given], request_outputs=outputs)


def people(*, binary: bool) -> InferRequest:
    inputs = []
    for name, (datatype, values) in PEOPLE.items():
        given = InferInput(name, [2, 1], datatype)
        kind = {"FP64": np.float64, "BYTES": object, "BOOL": np.bool_}[datatype]
        given.set_data_from_numpy(np.array(values, kind).reshape(2, 1), binary_data=binary)
        inputs.append(given)
    return InferRequest("clients-mixed", inputs)


async def session(url: str) -> dict[str, Any]:
    said: dict[str, Any] = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        said["live"] = await client.is_server_live(url)
        said["ready"] = await client.is_server_ready(url)
        said["model_ready"] = await client.is_model_ready(url, "clients-classes")
        said["nothing_ready"] = await client.is_model_ready(url, "clients-nothing")
        for binary in (True, False):
            kind = "binary" if binary else "json"
            asked = {
                "classes": matrix("clients-classes", FLOWERS, binary=binary),
                "value": value(binary=binary),
                "mixed": people(binary=binary),
            }
            said[kind] = {}
            for name, request in asked.items():
                answer = await client.infer(url, request, f"clients-{name}")
                said[kind][name] = {output.name: output.as_numpy().tolist() for output in answer.outputs}
        try:
            await client.infer(url, matrix("clients-classes", FLOWERS[:, :3].copy(), binary=False), "clients-classes")
        except httpx.HTTPStatusError as error:
            said["refused"] = error.response.status_code
    return said


def value(*, binary: bool) -> InferRequest:
    given = InferInput("input", [2, 10], "FP32")
    given.set_data_from_numpy(VALUES, binary_data=binary)
    return InferRequest("clients-value", [given])


if __name__ == "__main__":
    print(json.dumps(asyncio.run(session(sys.argv[1])), default=lambda value: value.decode()))
