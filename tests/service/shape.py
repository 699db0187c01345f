"""The one shape of every error."""

import json
from typing import Any

import httpx


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The answer is a complete RFC 9457 problem; returns it."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.content)
    assert list(problem) == ["type", "title", "status", "detail", "instance", "code", "errors"]
    assert problem["status"] == status
    assert problem["type"] == f"urn:trainshed:{problem['code']}"
    assert problem["title"] and problem["detail"] and problem["instance"].startswith("/")
    assert "Traceback" not in answer.text and 'File "' not in answer.text
    for error in problem["errors"]:
        assert set(error) == {"pointer", "in", "detail"}
        assert error["pointer"] == "" or error["pointer"].startswith("/")
        assert error["detail"]
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) > 0
    return problem
