"""The roads from a row of a table to an answer; each takes the same rows in its own form."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
import onnxruntime

from tests.roads.answer import Answer, of_csv, of_floats, of_json, of_tensors, refusal
from tests.roads.cell import Cell, Json
from tests.roads.column import Column
from tests.roads.file_format import Dialect, Row
from tests.roads.server import Server

FLOATS = "application/octet-stream"
EXTRA = "zebra crossing"  # a column that no model has, and whose name is near to none
NUMPY = {"FP32": np.float32, "FP64": np.float64, "BOOL": np.bool_, "INT64": np.int64}


@dataclass
class Served:
    """A registered model and how it is asked; `job` is the one that made it."""

    server: Server
    name: str
    columns: Sequence[Column]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @cached_property
    def metadata(self) -> Mapping[str, list[Mapping[str, object]]]:
        found: Mapping[str, list[Mapping[str, object]]] = self.server.ask("GET", f"/v2/models/{self.name}").json()
        return found

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        file = self.server.ask("GET", f"/v1/models/{self.name}/artifact?format=onnx").content
        return onnxruntime.InferenceSession(file)


Road = Callable[[Served, Sequence[Row], Random], Answer | None]
"""None where the road has no words for such rows."""


def by_objects(model: Served, rows: Sequence[Row], random: Random) -> Answer:
    """JSON objects of numbers, truth values, labels and null."""
    return _json(model, [{name: row[name].plain for name in model.names} for row in rows])


def by_texts(model: Served, rows: Sequence[Row], random: Random) -> Answer:
    """JSON objects of the texts that stand in a file."""
    return _json(model, [{name: row[name].text for name in model.names} for row in rows])


def by_sparse_objects(model: Served, rows: Sequence[Row], random: Random) -> Answer:
    """JSON objects in which what is missing is left out, and in which more stands than the model knows."""
    sent = []
    for row in rows:
        first, *others = random.sample(model.names, len(model.names))
        there = {name: row[name].plain for name in others if row[name].plain is not None}
        sent.append({EXTRA: "x", first: row[first].plain, **there})  # a row of nothing that is known is refused
    return _json(model, sent)


def by_lists(model: Served, rows: Sequence[Row], random: Random) -> Answer:
    """JSON lists in the order of the features."""
    sent = [[row[name].plain for name in model.names] for row in rows]
    answer = model.server.ask("POST", f"/v1/models/{model.name}/predict", {"rows": sent})
    return of_json(answer, model.names)


def by_job(model: Served, rows: Sequence[Row], random: Random) -> Answer:
    """The job's own predictions."""
    said = [{name: random.choice((row[name].plain, row[name].text)) for name in model.names} for row in rows]
    return of_json(model.server.ask("POST", "/v1/jobs/{job}/predict", {"rows": said}))


def by_csv(model: Served, rows: Sequence[Row], random: Random) -> Answer:
    """CSV in any dialect, its columns in any order, answered in CSV."""
    names = random.sample(model.names, len(model.names))
    body = Dialect.drawn(random).write(names, rows)
    return of_csv(model.server.ask("POST", f"/v1/models/{model.name}/predict", body, "text/csv"))


def by_csv_with_more(model: Served, rows: Sequence[Row], random: Random) -> Answer:
    """CSV with a column that the model does not know, answered in JSON."""
    names = [EXTRA, *model.names]
    body = Dialect.drawn(random).write(names, [{EXTRA: Cell(f"id {at}", None), **row} for at, row in enumerate(rows)])
    accept = {"Accept": "application/json"}
    return of_json(model.server.ask("POST", f"/v1/models/{model.name}/predict", body, "text/csv", accept))


def by_tensors(model: Served, rows: Sequence[Row], random: Random) -> Answer | None:
    """The tensors that the metadata names, in JSON."""
    tensors = _tensors(model, rows)
    if tensors is None:
        return None
    inputs = [
        {"name": name, "datatype": datatype, "shape": list(array.shape), "data": _listed(array)}
        for name, (datatype, array) in tensors.items()
    ]
    answer = model.server.ask("POST", f"/v2/models/{model.name}/infer", {"inputs": inputs})
    if answer.status_code != 200:
        return refusal(answer)
    document = answer.json()
    found = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in document["outputs"]}
    return of_tensors(found, document.get("parameters", {}))


def by_bytes(model: Served, rows: Sequence[Row], random: Random) -> Answer | None:
    """The same tensors as bytes behind the JSON, both ways."""
    tensors = _tensors(model, rows)
    if tensors is None:
        return None
    inputs, parts = [], []
    for name, (datatype, array) in tensors.items():
        texts = [str(text).encode() for text in array.reshape(-1)] if datatype == "BYTES" else []
        parts.append(b"".join(struct.pack("<I", len(text)) + text for text in texts) if texts else array.tobytes())
        about = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        inputs.append({**about, "parameters": {"binary_data_size": len(parts[-1])}})
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    answer = model.server.ask("POST", f"/v2/models/{model.name}/infer", head + b"".join(parts), FLOATS, length)
    if answer.status_code != 200:
        return refusal(answer)
    size = int(answer.headers["Inference-Header-Content-Length"])
    document, behind = json.loads(answer.content[:size]), answer.content[size:]
    found = {}
    for one in document["outputs"]:
        part, behind = behind[: (size := one["parameters"]["binary_data_size"])], behind[size:]
        found[one["name"]] = _unpacked(part, one["datatype"]).reshape(one["shape"])
    return of_tensors(found, document.get("parameters", {}))


def by_floats(model: Served, rows: Sequence[Row], random: Random) -> Answer | None:
    """Raw float32, both ways; where the metadata does not say FP32 they would not do."""
    if any(one["datatype"] != "FP32" for one in model.metadata["inputs"]):
        return None
    if any(cell.fate in ("missing", "unreadable") for row in rows for cell in row.values()):
        return None
    numbers = np.array([[row[name].number for name in model.names] for row in rows], "<f4")
    accept = {"Accept": FLOATS}
    answer = model.server.ask("POST", f"/v1/models/{model.name}/predict", numbers.tobytes(), FLOATS, accept)
    return of_floats(answer, int(str(model.metadata["outputs"][-1]["shape"][-1])))  # type: ignore[index]


def by_onnx(model: Served, rows: Sequence[Row], random: Random) -> Answer | None:
    """The model's ONNX file, by another's runtime; it cannot refuse."""
    if any(cell.fate == "unreadable" for row in rows for cell in row.values()):
        return None
    session = model.session
    if [one.name for one in session.get_inputs()] == ["input"]:
        matrix = [[row[name].number for name in model.names] for row in rows]
        feed = {"input": np.array(matrix, _numpy(session.get_inputs()[0].type))}
    else:
        feed = {}
        for one in session.get_inputs():
            cells = [row[one.name] for row in rows]
            texts = one.type == "tensor(string)"
            values = [[cell.trimmed if texts else cell.number] for cell in cells]
            feed[one.name] = np.array(values, object if texts else _numpy(one.type))
    found = dict(zip([one.name for one in session.get_outputs()], session.run(None, feed), strict=True))
    return of_tensors(found, {})


EXACT: Mapping[str, Road] = {
    "JSON texts": by_texts,
    "JSON objects with more and less": by_sparse_objects,
    "JSON lists": by_lists,
    "job": by_job,
    "CSV": by_csv,
    "CSV with a column more": by_csv_with_more,
}
CLOSE: Mapping[str, Road] = {
    "tensors in JSON": by_tensors,
    "tensors in bytes": by_bytes,
    "float32": by_floats,
    "ONNX": by_onnx,
}
MARKING = {"tensors in JSON", "tensors in bytes"}  # of these, those that say what was filled


def _json(model: Served, rows: Sequence[Mapping[str, Json] | Sequence[Json]]) -> Answer:
    return of_json(model.server.ask("POST", f"/v1/models/{model.name}/predict", {"rows": list(rows)}))


def _tensors(model: Served, rows: Sequence[Row]) -> dict[str, tuple[str, np.ndarray]] | None:
    inputs = model.metadata["inputs"]
    if [one["name"] for one in inputs] == ["input"] and model.names != ["input"]:
        if any(cell.fate == "unreadable" for row in rows for cell in row.values()):
            return None
        dtype = str(inputs[0]["datatype"])
        return {"input": (dtype, np.array([[row[n].number for n in model.names] for row in rows], NUMPY[dtype]))}
    tensors = {}
    for one in inputs:
        datatype, cells = str(one["datatype"]), [row[str(one["name"])] for row in rows]
        if datatype == "BYTES":
            array = np.array([[cell.text] for cell in cells], object)
        elif any(cell.fate == "unreadable" or (datatype == "BOOL" and cell.plain is None) for cell in cells):
            return None
        else:
            array = np.array([[cell.number] for cell in cells], NUMPY[datatype])
        tensors[str(one["name"])] = datatype, array
    return tensors


def _listed(array: np.ndarray) -> list[object]:
    return [None if value != value else value for value in array.reshape(-1).tolist()]


def _unpacked(part: bytes, datatype: str) -> np.ndarray:
    if datatype != "BYTES":
        return np.frombuffer(part, NUMPY[datatype])
    texts, start = [], 0
    while start < len(part):
        (size,) = struct.unpack_from("<I", part, start)
        texts.append(part[start + 4 : start + 4 + size].decode())
        start += 4 + size
    return np.array(texts, object)


def _numpy(tensor_type: str) -> type[np.generic]:
    return {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(bool)": np.bool_}[tensor_type]
