"""What was guessed about a file is said: with column, count, examples and what settles it; and what a job refuses."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data import CsvFormat, Dataset, DataSpec, Table
from engine.data.checks import Finding, report_of
from engine.data.column_types import NumberType
from engine.data.preparation import check, target_kind
from engine.data.refusals import SpecErrors, all_of, refusals
from engine.errors import SpecError

Cells = dict[str, Sequence[object]]
ROWS = 60


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[Cells], Dataset]:
    """A dataset that was uploaded as CSV, of columns that are as long as each other."""

    def made(cells: Cells) -> Dataset:
        lines = [";".join(cells), *(";".join(map(str, row)) for row in zip(*cells.values(), strict=True))]
        (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
        return CsvFormat().read(tmp_path / "rows.csv")

    return made


def findings(dataset: Dataset, target: str = "y", loss: str = "auto", **columns: Any) -> dict[str, Finding]:
    """The findings about a job on the dataset, by check."""
    spec = DataSpec.model_validate({"train": "rows", "target": target, "columns": columns})
    datasets = {"rows": dataset}
    refused = refusals(spec, datasets, loss=loss)
    return {found.check: found for found in report_of(spec, datasets, loss=loss, refused=refused).findings}


def repeated(*values: object, rows: int = ROWS) -> list[object]:
    return [values[row % len(values)] for row in range(rows)]


NOISE = np.random.default_rng(0).normal(size=ROWS).round(4).tolist()
YES_NO = repeated("a", "b", "b", "a", "b")


def settled(finding: Finding) -> Any:
    assert finding.settle is not None
    return finding.settle.job


def test_words_among_numbers_are_told_with_what_makes_them_missing(csv):
    sizes = [*repeated(36, 38, 40, 42, 44, rows=ROWS - 3), "one size", "n/k", "n/k"]
    found = findings(csv({"size": sizes, "x": NOISE, "y": YES_NO}))["words_like_numbers"]
    assert (found.severity, found.columns, found.count) == ("warning", ("size",), 3)
    assert found.examples == ("n/k", "one size") and "57 of its cells are numbers" in found.message
    option = settled(found)["data"]["columns"]["size"]
    again = csv({"size": sizes, "x": NOISE, "y": YES_NO})
    assert "words_like_numbers" not in findings(again, size=option)  # and what it says is taken
    assert not refusals(DataSpec(train="rows", target="y", columns={"size": option}), {"rows": again})


def test_one_odd_cell_among_many_numbers_is_told_beside_the_refusal(csv):
    weights = [*(f"{row},25" for row in range(ROWS - 1)), "too heavy"]
    made = csv({"weight": weights, "x": NOISE, "y": YES_NO})
    found = findings(made)
    assert (found["words_like_numbers"].count, found["words_like_numbers"].examples) == (1, ("too heavy",))
    assert "was taken for text, though 59 of its cells are numbers" in found["words_like_numbers"].message
    assert found["refused"].columns == ("weight",)
    for settle in (settled(found["refused"]), settled(found["words_like_numbers"])):
        option = settle["data"]["columns"]
        assert not refusals(
            DataSpec.model_validate({"train": "rows", "target": "y", "columns": option}), {"rows": made}
        )


def test_labels_that_differ_in_case_blanks_or_zeros_are_told(csv):
    answers = [*repeated("maybe", "never", rows=ROWS - 4), "Maybe", "NEVER", "never", "maybe"]
    found = findings(csv({"x": NOISE, "y": answers}))["similar_labels"]
    assert (found.severity, found.columns, found.count) == ("serious", ("y",), 2)
    assert found.examples == ("maybe", "Maybe", "never") and "'maybe' (29 rows) and 'Maybe' (1 rows)" in found.message
    places = [*repeated("new  york", "rome", "oslo", rows=ROWS - 1), "new york"]
    found = findings(csv({"place": places, "x": NOISE, "y": YES_NO}))["similar_labels"]
    assert (found.severity, found.columns, found.count) == ("warning", ("place",), 1)
    floors = [*repeated("1", "2", "attic", rows=ROWS - 2), "1.0", "1.0"]
    found = findings(csv({"floor": floors, "x": NOISE, "y": YES_NO}), floor={"type": "category"})["similar_labels"]
    assert found.examples == ("1", "1.0") and found.count == 2


def test_labels_that_only_resemble_each_other_are_not(csv):
    assert "similar_labels" not in findings(csv({"x": NOISE, "y": repeated("10", "1", "1e", "one", "Two")}))


@pytest.mark.parametrize(
    ("cells", "says", "option"),
    [
        (["1,5", "2,25", "10,75", "3,5"], "decimal commas: '1,5' is 1.5", {"decimal": ","}),
        (["12.5%", "7%", "80.25%"], "the unit '%': '12.5%' is 12.5", {"unit": "%"}),
        (["$1,250.50", "$900.25", "$12,000.75"], "thousands set apart by ','", {"thousands": ",", "unit": "$"}),
    ],
)
def test_numbers_in_a_format_of_their_own_are_told_and_can_be_settled(csv, cells, says, option):
    made = csv({"price": repeated(*cells), "x": NOISE, "y": YES_NO})
    found = findings(made)["number_format"]
    assert (found.severity, found.count, len(found.examples)) == ("info", ROWS, 3)
    assert says in found.message
    said = settled(found)["data"]["columns"]["price"]
    assert said.items() >= {"type": "number", **option}.items()
    assert "number_format" not in findings(made, price=said)


def test_columns_of_one_format_are_told_together_also_where_the_spellings_are_not_kept(csv):
    many = [f"{900 + 37 * row:,}" for row in range(600)]
    made = csv({"a": many, "b": many[::-1], "x": NOISE * 10, "y": YES_NO * 10})
    found = findings(made)["number_format"]
    assert (found.columns, found.count) == (("a", "b"), 600) and found.examples[0] == "23,063"
    assert "'23,063' is 23063" in found.message
    assert set(settled(found)["data"]["columns"]) == {"a", "b"}


def test_numbers_that_could_be_read_in_two_ways_are_a_warning(csv):
    """1,250 is one and a quarter in one country and more than a thousand in another; an amount of money is not."""
    found = findings(csv({"area": repeated("1,250", "3,125", "2,500"), "x": NOISE, "y": YES_NO}))["number_format"]
    assert found.severity == "warning" and "'1,250' is 1250" in found.message and "would be 1.25," in found.message
    assert settled(found)["data"]["columns"]["area"].items() >= {"decimal": ",", "thousands": "."}.items()
    paid = findings(csv({"paid": repeated("$1,250", "$3,125", "$2,500"), "x": NOISE, "y": YES_NO}))["number_format"]
    assert paid.severity == "info"


def test_dates_among_which_some_cells_are_none_are_told(csv):
    days = [f"2024-03-{1 + row % 28:02}" for row in range(ROWS - 2)] + ["pending", "pending"]
    found = findings(csv({"day": days, "x": NOISE, "y": YES_NO}))
    assert (found["dates_and_words"].count, found["dates_and_words"].examples) == (2, ("pending",))
    option = settled(found["dates_and_words"])["data"]["columns"]["day"]
    assert option == {"type": "date", "unreadable": "missing"}
    assert settled(found["refused"]) == settled(found["dates_and_words"])
    again = findings(csv({"day": days, "x": NOISE, "y": YES_NO}), day=option)
    assert not again.keys() & {"refused", "dates_and_words"}
    assert found["refused"].severity == "refused" and "column 'day' holds dates" in found["refused"].message
    few = repeated("2024-03-01", "2024-03-02", "later")
    assert findings(csv({"day": few, "x": NOISE, "y": YES_NO}))["dates_and_words"].count == ROWS // 3


def test_the_order_of_day_and_month_is_told_where_the_cells_told_it(csv):
    days = [f"{1 + row % 28:02}/{1 + row % 12:02}/2024" for row in range(ROWS)]
    found = findings(csv({"day": days, "x": NOISE, "y": YES_NO}), day={"type": "date", "parts": ["month"]})[
        "date_order"
    ]
    assert (found.severity, found.count, found.examples[0]) == ("info", ROWS, "01/01/2024")
    assert "the day first" in found.message
    assert settled(found)["data"]["columns"]["day"] == {"type": "date", "parts": ["month"], "order": "dmy"}
    clear = [f"2024-03-{1 + row % 28:02}" for row in range(ROWS)]
    assert "date_order" not in findings(csv({"day": clear, "x": NOISE, "y": YES_NO}), day={"type": "date"})
    unclear = csv({"day": repeated("03/04/2024", "05/06/2024", "07/08/2023"), "x": NOISE, "y": YES_NO})
    spec = DataSpec.model_validate({"train": "rows", "target": "y", "columns": {"day": {"type": "date"}}})
    (refusal,) = refusals(spec, {"rows": unclear})[:1]
    assert refusal.columns == ("day",) and "tells days from months" in refusal.fault.detail


def test_words_that_count_as_missing_are_told_once(csv):
    made = csv({"a": repeated("u", "-", "v", "w"), "b": repeated(1, "NA", 3), "x": NOISE, "y": YES_NO})
    found = findings(made)["missing_words"]
    assert (found.severity, found.columns, found.count) == ("info", ("a", "b"), ROWS // 4 + ROWS // 3)
    assert found.examples == ("NA", "-")
    assert settled(found) == {"data": {"columns": {"a": {"type": "category", "missing_words": []}}}}


def test_a_numeric_target_is_said_to_be_classes_or_values(csv):
    stars = csv({"x": NOISE, "y": repeated(1, 2, 3, 4, 5)})
    found = findings(stars)["numbers_as_classes"]
    assert (found.severity, found.count, found.examples) == ("info", 5, ("1", "2", "3"))
    assert settled(found) == {"loss": {"type": "mean_squared_error"}}
    rents = csv({"x": NOISE, "y": repeated(900, 1250, 1400, 2000)})
    assert findings(rents)["numbers_as_classes"].severity == "warning"
    for answered in ({"loss": "mean_squared_error"}, {"loss": "softmax_cross_entropy"}, {"y": {"type": "category"}}):
        assert "numbers_as_classes" not in findings(rents, **answered)
    called = DataSpec.model_validate({"train": "rows", "target": "y", "columns": {"y": {"type": "number"}}})
    assert target_kind(called, rents.training, "auto") == "values"
    assert target_kind(called, rents.training, "softmax_cross_entropy") == "classes"
    codes = csv({"x": [*NOISE] * 10, "y": repeated(*range(100, 130), rows=10 * ROWS)})
    found = findings(codes)["numbers_as_values"]
    assert found.count == 30 and settled(found) == {"loss": {"type": "softmax_cross_entropy"}}


def test_a_target_of_two_numbers_or_of_classes_by_its_file_is_no_guess():
    x = np.array(NOISE)
    for y, types in ((np.arange(ROWS) % 2, {}), (np.arange(ROWS) % 7, {"y": NumberType(classes=True)})):
        dataset = Dataset({"all": Table({"x": x, "y": y.astype(np.int32)}, types)})
        assert "numbers_as_classes" not in findings(dataset)
    for values, said in ((np.arange(ROWS) % 3, False), (np.arange(ROWS) % 3 * 50, True)):  # as it is called
        dataset = Dataset({"all": Table({"x": x, "label": values.astype(np.int32)})})
        assert ("numbers_as_classes" in findings(dataset, "label")) == said


def test_what_a_job_refuses_is_found_before_all_of_it_at_once(csv):
    made = csv(
        {
            "id": [f"k{row}x" for row in range(ROWS)],
            "day": [f"2023-01-{1 + row % 28:02}" for row in range(ROWS)],
            "empty": [""] * ROWS,
            "x": NOISE,
            "y": ["", "", *YES_NO[2:]],
        }
    )
    spec = DataSpec(train="rows", target="y")
    found = refusals(spec, {"rows": made})
    assert [refusal.columns for refusal in found] == [("id",), ("day",), ("y",), ("empty",)]
    with pytest.raises(SpecError) as first:
        check(spec, {"rows": made})
    assert first.value.detail == found[0].fault.detail
    together = all_of(found, first.value)
    assert isinstance(together, SpecErrors) and "4 things are wrong: (1) column 'id'" in str(together)
    told = report_of(spec, {"rows": made}, refused=found).findings
    assert [finding.severity for finding in told[:4]] == ["refused"] * 4
    missing = next(finding for finding in told if finding.columns == ("y",) and finding.severity == "refused")
    assert (missing.count, missing.examples, missing.settle) == (2, ("row 0", "row 1"), None)
    patches = [settled(finding)["data"]["columns"] for finding in told[:4] if finding.settle is not None]
    settles = {name: option for patch in patches for name, option in patch.items()}
    again = refusals(DataSpec.model_validate({"train": "rows", "target": "y", "columns": settles}), {"rows": made})
    assert [refusal.columns for refusal in again] == [("y",)]


def test_a_target_of_one_class_or_of_text_is_refused_beside_the_other_findings(csv):
    one = findings(csv({"x": NOISE, "y": ["same"] * ROWS}))
    assert "every training row has y = 'same'" in one["refused"].message
    notes = findings(csv({"x": NOISE, "twice": NOISE, "y": [f"note number {row}" for row in range(ROWS)]}))
    assert "'y' holds text" in notes["refused"].message and notes["duplicated_columns"].columns == ("twice", "x")


def test_a_table_without_a_column_that_can_be_used_is_refused_for_each(csv):
    made = csv({"day": [f"2023-01-{1 + row % 28:02}" for row in range(ROWS)], "y": YES_NO})
    (refusal,) = refusals(DataSpec(train="rows", target="y"), {"rows": made})
    assert refusal.columns == ("day",)


def test_several_wrong_names_and_options_are_named_together(csv):
    made = csv({"x": NOISE, "z": repeated("u", "v"), "y": YES_NO})
    columns = {"zz": {"type": "ignore"}, "x": {"type": "boolean"}, "z": {"type": "number"}}
    spec = DataSpec.model_validate(
        {"train": "rows", "target": "y", "features": ["v", "x", "w", "z"], "columns": columns}
    )
    where = [refusal.fault.pointer for refusal in refusals(spec, {"rows": made})]
    assert where == ["/data/features/0", "/data/features/2", "/data/columns/zz", "/data/columns/x", "/data/columns/z"]
    unread = refusals(DataSpec(train="rows", target="z", columns={"z": {"type": "number"}}), {"rows": made})
    assert [refusal.fault.pointer for refusal in unread] == ["/data/columns/z"]


def test_a_class_that_train_lacks_is_refused_before_the_job_is_sent(csv):
    parts = repeated("train", "train", "test")
    answers = [*YES_NO[:-1], "odd"]  # the last row is one of test
    made = csv({"x": NOISE, "part": parts, "y": answers})
    split = {"type": "column", "column": "part"}
    spec = DataSpec.model_validate({"train": "rows", "target": "y", "split": split})
    (refusal,) = refusals(spec, {"rows": made})
    assert refusal.columns == ("y",) and "y = 'odd' occurs in test, but in no row of train" in refusal.fault.detail


def test_what_is_fine_is_refused_nothing(csv):
    made = csv({"x": NOISE, "z": repeated("u", "v"), "y": YES_NO})
    assert refusals(DataSpec(train="rows", target="y"), {"rows": made}) == []
    assert set(findings(made)) <= {"repeated_rows", "contradicting_rows", "class_balance"}
