"""Every road from a row to an answer says the same, to the bit, or refuses the same cells."""

import os
from pathlib import Path

import pytest

from tests.roads.column import KINDS
from tests.roads.server import Server
from tests.roads.trials import trials

DRAWS = 50  # of rows, for each model
TABLES = 5


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """Where the service is: a stack of this checkout, unless TRAINSHED_ROADS_URL names another."""
    return os.environ.get("TRAINSHED_ROADS_URL") or request.getfixturevalue("stack").url


@pytest.mark.parametrize("seed", range(TABLES))
def test_every_road_answers_rows_of_a_table_alike(url: str, seed: int, tmp_path: Path) -> None:
    with Server.at(url) as server:
        (trial,) = trials(server, [seed], tmp_path, KINDS[seed::TABLES])
        findings = trial.run(DRAWS)
        assert not findings, "\n".join(map(str, findings))
        assert trial.draws == DRAWS


@pytest.mark.parametrize("kind", ["matrices", "color pictures"])
def test_every_road_answers_arrays_and_pictures_alike(url: str, kind: str, tmp_path: Path) -> None:
    with Server.at(url) as server:
        (trial,) = trials(server, [0], tmp_path, [kind])
        findings = trial.run(DRAWS // 2)
        assert not findings, "\n".join(map(str, findings))
        assert trial.draws == DRAWS // 2
