"""The OpenAPI document as a contract: what an answer may be, and whether one that came is what it may be."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Node = dict[str, Any]
MOST_ALIKE = 10  # answers of one operation and status that are compared with their schema
URI = "urn:document"


class Contract:
    """What a document promises."""

    def __init__(self, document: Node) -> None:
        self.document = document
        self._registry: Registry[Any] = Registry().with_resource(URI, DRAFT202012.create_resource(document))
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), methods)
            for path, methods in document["paths"].items()
        ]
        self._looked_into: Counter[tuple[str, int]] = Counter()
        self.validator = cache(self._validator)

    def operations(self) -> Iterator[tuple[str, str, Node]]:
        """Method, path and operation."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def answers(self) -> Iterator[tuple[str, str, Node]]:
        """Operation id, status and answer."""
        for _, _, operation in self.operations():
            for status, answer in operation["responses"].items():
                yield operation["operationId"], status, answer

    def operation(self, method: str, path: str) -> Node | None:
        """The operation that answers a request; None for what is in no document."""
        for pattern, methods in self._paths:
            if pattern.fullmatch(path) and method.lower() in methods:
                found: Node = methods[method.lower()]
                return found
        return None

    def check(self, answer: httpx.Response) -> None:
        """The status is documented, the media type as well, the first answers of a kind are as their schema says."""
        request = answer.request
        operation = self.operation(request.method, request.url.path)
        if operation is None:
            return
        asked = f"{request.method} {request.url.raw_path.decode()[:200]} ({operation['operationId']})"
        assert str(answer.status_code) in operation["responses"], f"{asked} gave {answer.status_code}, undocumented"
        content = operation["responses"][str(answer.status_code)].get("content", {})
        if answer.status_code in (204, 304):
            return
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert kind in content, f"{asked} gave {kind} with {answer.status_code}, undocumented"
        seen = (operation["operationId"], answer.status_code)
        self._looked_into[seen] += 1
        # A job takes some milliseconds; `fields` leaves out what is required.
        if kind.endswith("json") and self._looked_into[seen] <= MOST_ALIKE and "fields" not in request.url.params:
            self.check_value(operation["operationId"], content[kind]["schema"], json.loads(answer.read()))

    def check_value(self, where: str, schema: Node, value: object) -> None:
        """JSON is as its schema says."""
        for error in self.validator(json.dumps(schema)).iter_errors(value):
            raise AssertionError(f"{where}: {error.json_path} {error.message[:500]}")

    def _validator(self, schema: str) -> Draft202012Validator:
        text = schema.replace('"#/', f'"{URI}#/')
        return Draft202012Validator(json.loads(text), registry=self._registry)
