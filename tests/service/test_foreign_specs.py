"""Who comes with the words of another library is told ours; who writes in short is understood."""

from typing import Any

import httpx
import pytest

from tests.service.foreign_specs import FOREIGN, SHORT, UNHEARD_OF, WINE, Foreign, Short
from tests.service.shape import assert_problem


def asked(client: httpx.Client, said: dict[str, Any]) -> httpx.Response:
    return client.post("/v1/jobs?validate_only=true", json={"data": WINE, **said})


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: f"{foreign.pointer} {foreign.said}")
def test_a_foreign_word_is_told_ours(client: httpx.Client, foreign: Foreign) -> None:
    problem = assert_problem(asked(client, foreign.said), 422)
    details = [error["detail"] for error in problem["errors"] if error["pointer"] == foreign.pointer]
    assert len(details) == 1 and foreign.hint in details[0], problem["errors"]


def holds(document: Any, part: Any) -> bool:
    """Whether the document has at least these members."""
    if isinstance(part, dict):
        return all(name in document and holds(document[name], value) for name, value in part.items())
    if isinstance(part, list):
        return len(document) == len(part) and all(map(holds, document, part))
    return bool(document == part)


@pytest.mark.parametrize("short", SHORT, ids=lambda short: str(short.said))
def test_a_short_form_is_shown_in_full(client: httpx.Client, short: Short) -> None:
    answer = asked(client, short.said)
    assert answer.status_code == 200, answer.text
    assert holds(answer.json()["spec"], short.meant), answer.json()["spec"]


def test_a_job_is_stored_in_full(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={"data": WINE, "layers": [8, "tanh"], "optimizer": "momentum"})
    assert answer.status_code == 201, answer.text
    stored = client.get(answer.headers["location"]).json()["spec"]
    assert [layer["type"] for layer in stored["layers"]] == ["dense", "tanh"]
    assert stored["optimizer"]["beta"] == 0.9


@pytest.mark.parametrize("said", UNHEARD_OF, ids=str)
def test_no_hint_is_better_than_a_wrong_one(client: httpx.Client, said: dict[str, Any]) -> None:
    problem = assert_problem(asked(client, said), 422)
    assert "(allowed: " in problem["detail"]
    assert not any(word in problem["detail"] for word in ("did you mean", " here", "nearest")), problem["detail"]
