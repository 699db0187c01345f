"""What a batch prediction copies from its dataset, so that its rows are found again."""

import numpy as np
import pytest

from engine import DataError, JobSpec, Model, Network, Table, prepare, train
from engine.data import Dataset
from engine.data.formats.csv.csv_format import CsvFormat
from engine.events import Finished
from engine.kept_columns import check_kept, column_writers, identifying_columns, kept_columns

HEAD = "id,code,half,twice,gap,x,filled,y"
ROWS = [
    f"{900 + row},{row:03},{row + 0.5},{row % 2},{row or ''},{row % 3},{row + 70},{'ab'[row % 2]}" for row in range(12)
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = tmp_path_factory.mktemp("kept") / "rows.csv"
    path.write_text("\n".join([HEAD, *ROWS]))
    return CsvFormat().read(path).pooled


@pytest.fixture(scope="module")
def model(table: Table) -> Model:
    """It predicts y from x alone."""
    spec = JobSpec.model_validate(
        {
            "data": {"train": "rows", "target": "y", "features": ["x"], "split": [1, 0, 0]},
            "layers": [],
            "training": {"epochs": 1},
            "checks": {"gradients": []},
        }
    )
    data = prepare(spec.data, {"rows": Dataset({"all": table})}, dtype=spec.precision)
    *_, last = train(Network.of(spec, data.preprocessor), spec, data)
    assert isinstance(last, Finished)
    return last.model


def test_columns_that_tell_rows_apart_are_kept_if_nobody_says(model: Model, table: Table) -> None:
    """Not one that repeats itself, that lacks values, that is predicted from or predicted, or is called as a mark."""
    assert identifying_columns(model, table) == ("id", "code", "half")


def test_what_is_kept_is_spelled_as_it_was(model: Model, table: Table) -> None:
    names = ["id", "code", "half", "gap", "y"]
    check_kept(model, table, names)
    kept = kept_columns(column_writers(table, names), table, slice(0, 3))
    assert {name: [str(value) for value in column.tolist()] for name, column in kept.items()} == {
        "id": ["900", "901", "902"],
        "code": ["000", "001", "002"],
        "half": ["0.5", "1.5", "2.5"],
        "gap": ["", "1", "2"],
        "y": ["a", "b", "a"],
    }


def test_numbers_are_whole_where_all_are() -> None:
    table = Table({"n": np.arange(3.0), "h": np.arange(3) / 2, "g": np.array([1.0, np.nan, 2.5])})
    kept = kept_columns(column_writers(table, ["n", "h", "g"]), table, slice(None))
    assert [kept[name].dtype.kind for name in "nhg"] == ["i", "f", "O"]
    assert kept["g"].tolist() == ["1", "", "2.5"]


@pytest.mark.parametrize(
    ("names", "says"),
    [(["ID"], "Did you mean 'id'"), (["id", "id"], "twice"), (["filled"], "twice in the result")],
)
def test_columns_that_cannot_be_kept_are_refused(model: Model, table: Table, names: list[str], says: str) -> None:
    with pytest.raises(DataError, match=says):
        check_kept(model, table, names)
