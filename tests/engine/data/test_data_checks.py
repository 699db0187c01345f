"""The checks find what was planted in made-up tables, and nothing in clean ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from engine.data import ColumnSplit, Dataset, DataSpec, FractionSplit, GivenSplit, Table, load_sample
from engine.data.checks import check_data, report_of, report_without_target
from engine.data.checks.finding import Finding
from engine.data.checks.mismatch import separability
from engine.data.checks.row_hash import RowHash
from engine.data.column_types import BooleanType, CategoryType, TextType
from engine.errors import SpecError
from engine.events import DataChecked, SplitAdvised


def noise(rows: int, columns: int = 5, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {f"x{number}": generator.normal(size=rows) for number in range(columns)}


def labels(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, rows)


def of(columns: dict[str, np.ndarray], types=None, split=None, target: str | None = "label", options=None):
    dataset = Dataset({"all": Table(columns, types or {})})
    split = split or FractionSplit()
    if target is None:
        return report_without_target(split, {"data": dataset}, "data")
    spec = {"train": "data", "target": target, "split": split.model_dump(), "columns": options or {}}
    return report_of(DataSpec.model_validate(spec), {"data": dataset})


def found(report, check: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.check == check]


def test_clean_data_gives_no_finding():
    report = of({**noise(2000), "label": labels(2000)})
    assert report.findings == ()
    assert report.split.rows == {"train": 1200, "dev": 400, "test": 400}
    assert report.repeated_rows.duplicates == 0 and report.repeated_rows.compared == report.split.rows


@pytest.mark.parametrize("seed", range(5))
def test_sets_of_one_distribution_cannot_be_told_apart(seed):
    report = of({**noise(20_000, 10, seed), "label": labels(20_000, seed + 50)}, split=FractionSplit(seed=seed))
    for mismatch in report.mismatches:
        assert mismatch.auc == pytest.approx(0.5, abs=0.03)
        assert mismatch.shifted == ()
    assert [mismatch.sets for mismatch in report.mismatches] == [("train", "dev"), ("dev", "test")]


def test_a_stratified_split_of_digits_looks_like_one_distribution():
    dataset = load_sample("digits")
    areas = []
    for seed in range(3):
        spec = DataSpec(train="digits", target="label", split=FractionSplit(seed=seed))
        areas += [mismatch.auc for mismatch in report_of(spec, {"digits": dataset}).mismatches]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.03)


@given(name=st.sampled_from(["x0", "x3", "kind", "flag", "image", "gap"]), seed=st.integers(0, 9))
@settings(max_examples=12, deadline=None)
def test_the_feature_that_was_shifted_is_named_first(name, seed):
    rows, generator = 3000, np.random.default_rng(seed)
    second = np.arange(rows) >= 2000
    columns = {
        **noise(rows, 4, seed),
        "kind": generator.integers(0, 4, rows).astype(np.int32),
        "flag": generator.integers(0, 2, rows).astype(np.float64),
        "image": generator.integers(0, 200, (rows, 6, 6)).astype(np.uint8),
        "gap": generator.normal(size=rows),
        "part": second.astype(np.float64),
    }
    types = {"kind": CategoryType(labels=("a", "b", "c", "d")), "flag": BooleanType()}
    if name == "kind":
        columns[name][second] = np.where(generator.random(1000) < 0.6, 3, columns[name][second])
    elif name == "flag":
        columns[name][second] = (generator.random(1000) < 0.9).astype(float)
    elif name == "image":
        columns[name][second, 2, 3] = generator.integers(100, 255, 1000)
    elif name == "gap":
        columns[name][second & (generator.random(rows) < 0.5)] = np.nan
    else:
        columns[name][second] += 1.0
    report = of(columns, types, ColumnSplit(column="part"), target=None)
    (mismatch,) = report.mismatches
    assert mismatch.shifted[0].column == name
    assert mismatch.auc > 0.55
    (finding,) = found(report, "mismatch")
    assert finding.columns[0] == name and finding.severity in ("warning", "serious")
    if name == "image":
        assert mismatch.shifted[0].input == "image[2,3]"


def test_the_separability_is_that_of_scikit_learns_logistic_regression():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(4000, 6)).astype(np.float32)
    second = np.arange(4000) >= 2500
    x[second] += np.array([0.5, 0, 0, -0.3, 0, 0], np.float32)
    half = generator.random(4000) < 0.5
    theirs = LogisticRegression().fit(x[half], second[half])
    expected = roc_auc_score(second[~half], theirs.decision_function(x[~half]))
    assert separability(x, second, np.zeros(4000)) == pytest.approx(expected, abs=0.02)


def test_a_leaked_row_is_found_where_it_lies():
    columns = {**noise(1000), "label": labels(1000), "part": (np.arange(1000) >= 800).astype(np.float64)}
    for name in ("x0", "x1", "x2", "x3", "x4"):
        columns[name][900] = columns[name][37]
    report = of(columns, split=ColumnSplit(column="part"))
    (leak,) = report.repeated_rows.leaks
    assert (leak.part, leak.rows, leak.share) == ("dev", 1, 1 / 200)
    example = leak.examples[0]
    assert (example.row, example.train_row) == (900, 37)
    assert "row 900 of data has those of row 37" in found(report, "leaked_rows")[0].message


def test_leaks_into_other_datasets_are_found_across_dtypes_and_orders_of_labels():
    here = Table(
        {"x": np.arange(100)[::-1].astype(np.int64), "kind": np.array([0, 1] * 50, np.int32)},
        {"kind": CategoryType(labels=("a", "b"))},
    )
    there = Table(  # its first row is row 92 of the other: 7 and "a"
        {"x": np.array([7.0, 7.0, 500.0]), "kind": np.array([1, 0, 0], np.int32)},
        {"kind": CategoryType(labels=("b", "a"))},
    )
    datasets = {"here": Dataset({"all": here}), "there": Dataset({"all": there})}
    repeated = report_without_target(GivenSplit(dev="there"), datasets, "here").repeated_rows
    assert repeated.compared == {"train": 100, "dev": 3}
    (leak,) = repeated.leaks
    (example,) = leak.examples
    assert (leak.part, leak.rows) == ("dev", 1)
    assert (example.dataset, example.row, example.train_dataset, example.train_row) == ("there", 0, "here", 92)


@given(
    rows=st.lists(
        st.tuples(st.integers(-2, 2), st.sampled_from([0.0, -0.0, 1.5, np.nan]), st.integers(-1, 1)), min_size=2
    )
)
def test_rows_have_one_hash_exactly_if_they_are_equal(rows):
    table = Table(
        {
            "a": np.array([row[0] for row in rows], np.int8),
            "b": np.array([row[1] for row in rows]),
            "c": np.array([row[2] for row in rows], np.int32),
            "d": np.array([[row[0] + 2] * 3 for row in rows], np.uint8),
        },
        {"c": CategoryType(labels=("no", "yes"))},
    )
    numbers = RowHash([table], ["a", "b", "c", "d"]).of(table)
    meaning = [(a, "missing" if b != b else b + 0.0, c) for a, b, c in rows]
    assert len(np.unique(numbers)) == len(set(meaning))
    for one in range(len(rows)):
        assert (numbers[one] == numbers[0]) == (meaning[one] == meaning[0])


def test_duplicates_and_contradictions_are_counted():
    columns = {**noise(100), "label": labels(100)}
    for name in columns:
        columns[name][90:95] = columns[name][0:5]  # five copies
    for name in ("x0", "x1", "x2", "x3", "x4"):
        columns[name][99] = columns[name][50]
    columns["label"][99] = 1 - columns["label"][50]
    report = of(columns, split=FractionSplit(train=1, dev=0, test=0))
    assert (report.repeated_rows.duplicates, report.repeated_rows.contradictions) == (5, 2)


def test_constant_and_copied_columns_and_row_numbers_are_named():
    columns = {**noise(500), "label": labels(500)}
    columns |= {
        "one": np.ones(500),
        "none": np.full(500, np.nan),
        "again": columns["x1"].copy(),
        "nearly": np.append(np.ones(499), 2.0),
        "id": np.arange(1000, 1500).astype(np.float64),
    }
    report = of(columns)
    assert found(report, "constant_columns")[0].columns == ("one", "none")
    assert found(report, "duplicated_columns")[0].columns == ("again", "x1")
    assert found(report, "row_numbers")[0].columns == ("id",)


def test_a_constant_that_only_a_sample_sees_is_not_called_one():
    rows = 50_000
    columns = {**noise(rows), "label": labels(rows), "rare": np.zeros(rows)}
    columns["rare"][12_345] = 1
    assert not found(of(columns), "constant_columns")


@pytest.mark.parametrize("planted", ["copy", "noisy", "text", "missing", "folded"])
def test_a_column_that_gives_the_target_away_is_named(planted):
    label, generator = labels(2000), np.random.default_rng(9)
    leaking = {
        "copy": label * 3.0 - 1,
        "noisy": label + generator.normal(scale=0.2, size=2000),
        "text": label.astype(np.int32),
        "missing": np.where(label == 1, np.nan, generator.normal(size=2000)),
        "folded": np.where(label == 1, generator.choice([-5.0, 5.0], 2000), generator.normal(scale=0.5, size=2000)),
    }[planted]
    types = {"result": CategoryType(labels=("well", "ill"))} if planted == "text" else {}
    report = of({**noise(2000), "result": leaking, "label": label}, types)
    (finding,) = found(report, "giveaway")
    assert (finding.columns, finding.severity) == (("result", "label"), "serious")
    assert report.strongest[0].column == "result"


def test_what_gives_a_number_away_is_named_by_its_r2():
    columns = noise(2000)
    columns["price"] = np.random.default_rng(5).gamma(2.0, 100.0, 2000)
    columns["tax"] = 0.19 * columns["price"] + np.random.default_rng(6).normal(scale=0.1, size=2000)
    report = of(columns, target="price")
    assert found(report, "giveaway")[0].columns == ("tax", "price")
    assert report.strongest[0].measure == "r2" and report.strongest[0].value > 0.99


def test_identifiers_do_not_pass_for_giveaways():
    rows = 2000
    code = np.random.default_rng(4).permutation(rows).astype(np.int32)
    types = {"code": CategoryType(labels=tuple(f"c{number}" for number in range(rows)))}
    report = of({**noise(rows), "code": code, "label": labels(rows)}, types)
    assert not found(report, "giveaway")


def test_unequal_classes_are_told_with_the_accuracy_of_always_answering_one():
    label = (np.arange(2000) % 50 == 0).astype(np.int64)
    report = of({**noise(2000), "label": label})
    (finding,) = found(report, "class_balance")
    assert "98 %" in finding.message and "class_weights" in finding.advice
    assert report.classes.always == pytest.approx(0.98)
    assert [(entry.label, entry.rows["train"]) for entry in report.classes.classes] == [("0", 1176), ("1", 24)]


def test_events_begin_with_the_advice_on_the_split():
    dataset = Dataset({"all": Table({**noise(200), "one": np.ones(200), "label": labels(200)})})
    advice, *rest = check_data(DataSpec(train="data", target="label"), {"data": dataset})
    assert isinstance(advice, SplitAdvised)
    assert advice.followed and advice.advised == {"train": 0.6, "dev": 0.2, "test": 0.2}
    assert [event.check for event in rest if isinstance(event, DataChecked)] == ["constant_columns"]


def test_another_dataset_without_the_columns_is_refused():
    datasets = {
        "here": Dataset({"all": Table({**noise(50), "label": labels(50)})}),
        "there": Dataset({"all": Table({"x0": np.zeros(5), "label": np.zeros(5)})}),
    }
    with pytest.raises(SpecError, match="x1") as caught:
        report_of(DataSpec(train="here", target="label", split=GivenSplit(dev="there")), datasets)
    assert caught.value.pointer == "/data/split/dev"


def test_columns_are_compared_as_the_spec_takes_them():
    """Ages kept as words, that rose by 60: category by category a little, as numbers by far."""
    ages = np.random.default_rng(4).integers(0, 200, 4000)
    part = np.repeat([0, 1], [3000, 1000]).astype(np.int32)
    aged = np.where(part, np.clip(ages + 60, 0, 199), ages).astype(np.int32)
    types = {"age": CategoryType(labels=tuple(map(str, range(200)))), "part": CategoryType(labels=("train", "dev"))}
    columns = {**noise(4000), "age": aged, "part": part, "label": labels(4000)}
    for options, categorical in (({}, True), ({"age": {"type": "number"}}, False)):
        report = of(columns, types, ColumnSplit(column="part"), options=options)
        shift = next(shift for shift in report.mismatches[0].shifted if shift.column == "age")
        assert (shift.standardized is None) == categorical
        if not categorical:
            assert shift.standardized == pytest.approx(60 / (200 / 12**0.5), abs=0.15)


def test_text_that_the_spec_takes_for_a_category_is_checked():
    codes = np.random.default_rng(5).integers(0, 3, 600).astype(np.int32)
    types = {"when": TextType(holds="dates", labels=("2024-01-01", "2024-01-02", "2024-01-03"))}
    columns = {**noise(600), "when": codes, "label": (codes == 1).astype(int)}
    assert "when" not in [predictor.column for predictor in of(columns, types).strongest]
    report = of(columns, types, options={"when": {"type": "category"}})
    assert found(report, "giveaway")[0].columns == ("when", "label")


BOUNDED = """
import json, resource, sys
from pathlib import Path
from engine.data import Dataset, DataSpec
from engine.data.checks import report_of
from engine.kernels import warm
warm()  # as a worker does: machine code takes address space of its own, once
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
most = int(status["VmSize"].split()[0]) * 1024 + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (most, most))
data = {"d": Dataset.load(Path(sys.argv[1]))}
report = report_of(DataSpec(train="d", target="label"), data)
print(json.dumps([report.repeated_rows.duplicates, sorted({finding.check for finding in report.findings})]))
try:
    data["d"].training.whole("x")
except MemoryError:
    print("too large for memory")
"""


@pytest.mark.accept
def test_a_file_larger_than_the_address_space_is_checked(tmp_path: Path) -> None:
    """400 MB of rows of which the last repeats the first, in 320 MB beside the interpreter."""
    x = np.random.default_rng(0).integers(0, 256, (25_000, 16_000), np.uint8)
    x[-1] = x[0]
    Dataset({"all": Table({"x": x, "label": x[:, 0] // 64})}).save(tmp_path / "d.safetensors")
    del x
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    command = [sys.executable, "-P", "-c", BOUNDED, str(tmp_path / "d.safetensors"), str(320 << 20)]
    report, too_large = subprocess.check_output(command, text=True, env=environment).splitlines()
    duplicates, checks = json.loads(report)
    assert duplicates in (0, 1) and (duplicates == 1 or "leaked_rows" in checks)  # as the split has it
    assert too_large == "too large for memory"
