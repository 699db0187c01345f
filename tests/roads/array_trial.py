"""A trial of arrays or pictures: one array a row, asked for as numbers, as files and as tensors."""

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tests.roads.answer import (
    Answer,
    Answered,
    differ,
    of_csv_text,
    of_floats,
    of_json,
    of_tensors,
    refusal,
    refusal_in_words,
)
from tests.roads.chance import chance
from tests.roads.finding import Finding
from tests.roads.picture import Picture, draw_picture
from tests.roads.server import Asked, Server

FLOATS, NPZ, ZIP = "application/octet-stream", "application/x-npz", "application/zip"
KINDS = (
    "arrays of numbers",
    "arrays of whole numbers",
    "arrays of bytes",
    "arrays of truth values",
    "matrices",
    "gray pictures",
    "color pictures",
)
TARGETS = ("classes", "one-hot classes", "truth values", "numbers", "two numbers")
Array = NDArray[Any]


@dataclass
class ArrayTrial:
    """One model of arrays and the rows that it is asked for."""

    server: Server
    seed: int
    folder: Path | None
    kind: str | None = None
    prefix: str = "roads"
    findings: list[Finding] = field(default_factory=list)
    draws: int = 0

    def __post_init__(self) -> None:
        self.random = chance(self.seed)
        self.generator = np.random.default_rng(self.seed)
        self.name = f"{self.prefix}-{self.seed}"
        self.kind = self.kind or self.random.choice(KINDS)
        self.color = self.kind == "color pictures"
        self.pictures = self.kind.endswith("pictures")
        self.shape = (6, 5) if self.pictures else (3, 4) if self.kind == "matrices" else (5,)
        self.target = "classes" if self.pictures else self.random.choice(TARGETS)

    def run(self, draws: int) -> list[Finding]:
        """Train, draw so many times, and return what was found."""
        if not self._trained():
            return self.findings
        learned = list(self.server.asked)
        for number in range(draws):
            del self.server.asked[:]
            rows, pictures = self._drawn(self.random.randint(2, 5))
            expected = self._predict({"rows": [{"x": row.tolist()} for row in rows]})
            self._check_labels(expected, learned)
            roads = {**self._roads(rows), **(self._picture_roads(pictures) if pictures else {})}
            if number % 10 == 0:
                roads["batch"] = self._batch(rows, pictures, number)
            for road, answer in roads.items():
                bits = not road.startswith("ONNX")
                difference = differ(expected, answer, bits=bits, marks=bits and road != "float32")
                if difference is not None:
                    self._found(road, difference, [*learned, *self.server.asked])
            self.draws += 1
        return self.findings

    def _check_labels(self, answer: Answer, learned: list[Asked]) -> None:
        """Every row that is answered has one label of those that were learned."""
        known = {"classes": {"0", "1", "2"}, "one-hot classes": {"0", "1", "2"}, "truth values": {"true", "false"}}
        if self.pictures or self.target not in known:
            return
        labels = {one.label for one in answer.rows} if isinstance(answer, Answered) else {str(answer)}
        if labels - known[self.target]:
            told = f"{labels} are answered, of which {known[self.target]} were learned"
            self._found("JSON objects for what was drawn", told, [*learned, *self.server.asked])

    def _drawn(self, count: int) -> tuple[Array, list[Picture]]:
        """Rows as an array, and where they are pictures the pictures."""
        if self.pictures:
            pictures = [draw_picture(self.random, *self.shape, color=self.color) for _ in range(count)]
            return np.array([picture.pixels for picture in pictures]), pictures
        shape = (count, *self.shape)
        match self.kind:
            case "arrays of whole numbers":
                return self.generator.integers(-1000, 1000, shape), []
            case "arrays of bytes":
                return self.generator.integers(0, 256, shape, np.uint8), []
            case "arrays of truth values":
                return self.generator.integers(0, 2, shape).astype(bool), []
        return self.generator.normal(2, 3, shape).astype(np.float32).astype(np.float64), []

    def _file(self, x: Array, pictures: Sequence[Picture], y: Array) -> tuple[bytes, str]:
        file = io.BytesIO()
        if not pictures:
            np.savez(file, x=x, y=y)
            return file.getvalue(), NPZ
        with zipfile.ZipFile(file, "w") as archive:
            for place, (picture, label) in enumerate(zip(pictures, y, strict=True)):
                archive.writestr(f"class {label}/{place:03}.{picture.ending}", picture.file)
        return file.getvalue(), ZIP

    def _answers(self, x: Array) -> Array:
        """Targets that follow from the rows."""
        mean = x.reshape(len(x), -1).astype(float).mean(axis=1)
        classes = np.digitize(mean, np.quantile(mean, (0.33, 0.66)))
        match self.target:
            case "one-hot classes":
                return np.eye(3, dtype=int)[classes]
            case "truth values":
                return classes > 0
            case "numbers":
                return mean
            case "two numbers":
                return np.stack([mean, -2 * mean], axis=1)
        return classes

    def _trained(self) -> bool:
        x, pictures = self._drawn(60)
        body, media_type = self._file(x, pictures, self._answers(x))
        uploaded = self.server.ask("POST", f"/v1/datasets?name={self.name}", body, media_type)
        if uploaded.status_code >= 300:
            self._found("upload", uploaded.text, self.server.asked)
            return False
        spec = {
            "data": {"train": self.name, "target": "label"},
            "layers": [{"type": "dense", "units": 4}],
            "training": {"epochs": 2, "batch_size": 16},
            "optimizer": {"type": "adam", "learning_rate": 0.02},
            "seed": self.seed % 1000,
            "register_as": self.name,
        }
        answer = self.server.ask("POST", "/v1/jobs", spec, gives="job")
        job = answer.json() if answer.status_code >= 300 else self.server.ask("GET", "/v1/jobs/{job}?wait=60").json()
        if job.get("state") != "succeeded":
            self._found("job", str(job)[:600], self.server.asked)
            return False
        metadata = self.server.ask("GET", f"/v2/models/{self.name}").json()
        self.input, self.width = metadata["inputs"][0], int(metadata["outputs"][-1]["shape"][-1])
        file = self.server.ask("GET", f"/v1/models/{self.name}/artifact?format=onnx").content
        self.session = onnxruntime.InferenceSession(file)
        return True

    def _roads(self, rows: Array) -> Mapping[str, Answer]:
        """The answers to rows of numbers, road by road."""
        flat = rows.reshape(len(rows), -1)
        job = self.server.ask("POST", "/v1/jobs/{job}/predict", {"rows": [{"x": row.tolist()} for row in rows]})
        path, accept = f"/v1/models/{self.name}/predict", {"Accept": FLOATS}
        floats = self.server.ask("POST", path, flat.astype("<f4").tobytes(), FLOATS, accept)
        one = self.session.get_inputs()[0]
        dtype = np.float32 if one.type == "tensor(float)" else np.float64
        shape = (len(rows), *[side if isinstance(side, int) else -1 for side in one.shape[1:]])
        found = self.session.run(None, {one.name: rows.astype(dtype).reshape(shape)})
        return {
            "JSON lists": self._predict({"rows": flat.tolist()}),
            "JSON arrays": self._predict({"rows": rows.tolist()}),
            "job": of_json(job),
            "float32": of_floats(floats, self.width),
            "tensors in JSON": self._infer(flat, binary=False),
            "tensors in bytes": self._infer(flat, binary=True),
            "ONNX": of_tensors(dict(zip([o.name for o in self.session.get_outputs()], found, strict=True)), {}),
        }

    def _picture_roads(self, pictures: Sequence[Picture]) -> Mapping[str, Answer]:
        """The answers to files of pictures: in JSON, as the body, and in tensors of text."""
        path = f"/v1/models/{self.name}/predict"
        url = [{"x": f"data:{picture.media_type};base64,{picture.base64}"} for picture in pictures]
        bodies = [of_json(self.server.ask("POST", path, one.file, one.media_type)) for one in pictures]
        whole = next((one for one in bodies if not hasattr(one, "rows")), None)
        texts = np.array([[picture.base64] for picture in pictures], object)
        return {
            "base64": self._predict({"rows": [[picture.base64] for picture in pictures]}),
            "data URL": self._predict({"rows": url}),
            "picture as the body": whole or type(bodies[0])([one.rows[0] for one in bodies]),  # type: ignore[call-arg, union-attr]
            "BYTES of base64": self._sent("BYTES", [len(texts), 1], texts.reshape(-1).tolist(), None),
            "BYTES of pictures": self._sent(
                "BYTES",
                [len(pictures)],
                None,
                b"".join(struct.pack("<I", len(picture.file)) + picture.file for picture in pictures),
            ),
        }

    def _infer(self, flat: Array, *, binary: bool) -> Answer:
        dtype = np.dtype({"FP32": "<f4", "FP64": "<f8", "BOOL": "?"}[self.input["datatype"]])
        array = flat.astype(dtype)
        if binary:
            return self._sent(self.input["datatype"], list(array.shape), None, array.tobytes())
        return self._sent(self.input["datatype"], list(array.shape), array.reshape(-1).tolist(), None)

    def _sent(self, datatype: str, shape: Sequence[int], data: list[object] | None, part: bytes | None) -> Answer:
        about = {"name": self.input["name"], "datatype": datatype, "shape": shape}
        more = {"data": data} if part is None else {"parameters": {"binary_data_size": len(part)}}
        head = json.dumps({"inputs": [{**about, **more}]}).encode()
        headers = {} if part is None else {"Inference-Header-Content-Length": str(len(head))}
        kind = "application/json" if part is None else FLOATS
        answer = self.server.ask("POST", f"/v2/models/{self.name}/infer", head + (part or b""), kind, headers)
        if answer.status_code != 200:
            return refusal(answer)
        outputs = answer.json()["outputs"]
        return of_tensors({one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in outputs}, {})

    def _predict(self, body: Mapping[str, object]) -> Answer:
        return of_json(self.server.ask("POST", f"/v1/models/{self.name}/predict", body))

    def _batch(self, rows: Array, pictures: Sequence[Picture], number: int) -> Answer | None:
        name = f"{self.name}-{number}"
        body, media_type = self._file(rows, pictures, np.arange(len(rows)) % 2)
        answer = self.server.ask("POST", f"/v1/datasets?name={name}", body, media_type)
        if answer.status_code >= 300:
            return refusal_in_words(answer.text)
        path = f"/v1/models/{self.name}/batch-predictions"
        answer = self.server.ask("POST", path, {"dataset": name, "format": "csv"}, gives="batch")
        if answer.status_code >= 300:
            return refusal_in_words(answer.text)
        state = self.server.ask("GET", f"{path}/{{batch}}?wait=60").json()
        if state["state"] != "succeeded":
            return refusal_in_words(state["error"]["message"])
        return of_csv_text(self.server.ask("GET", f"{path}/{{batch}}/result").content)

    def _found(self, road: str, difference: str, asked: Sequence[Asked]) -> None:
        if any(one.road == road for one in self.findings):
            return
        script = None
        if self.folder is not None:
            script = self.server.write_script(self.folder / f"{self.name}-{len(self.findings)}", asked)
        self.findings.append(Finding(road, f"{self.kind}, {self.target}", difference, script))
