"""The client's errors are the tree that their docstring draws."""

import httpx
import pytest

import trainshed
from trainshed.client import errors
from trainshed.client.errors import Conflict, NotFound, ProblemError, TrainshedError, Unavailable


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines()[2:]:
        branch, name = len(line) - len(line.lstrip(" │├└─")), line.strip(" │├└─").partition(" ")[0]
        del above[branch // 4 :]
        if name:
            drawn[name] = above[-1] if above else "Exception"
            above.append(name)
    classes = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TrainshedError)}
    assert drawn == {each.__name__: str(each.__base__.__name__) for each in classes if each.__base__}
    assert drawn.keys() <= {*trainshed.__all__}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFound), (409, Conflict), (412, Conflict), (429, Unavailable), (503, Unavailable), (422, ProblemError)],
)
def test_a_status_has_its_kind(status: int, kind: type[ProblemError]) -> None:
    problem = ProblemError.of(httpx.Response(status, json={"title": "no", "detail": "why", "code": "c", "errors": []}))
    assert (type(problem), problem.status, problem.code, str(problem)) == (kind, status, "c", f"{status} no: why")


@pytest.mark.parametrize("body", [b"<html>a proxy's page</html>", b"[1]", b'"text"', b"\xff"])
def test_an_answer_that_is_no_problem_keeps_its_first_words(body: bytes) -> None:
    problem = ProblemError.of(httpx.Response(502, content=body))
    assert str(problem).startswith("502 Bad Gateway: ") and problem.errors == ()
