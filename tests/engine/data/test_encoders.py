"""Categories, booleans and missing values become inputs by what the training rows taught, and by nothing else."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import DataSpec, NoNormalizer, Preprocessor, StandardNormalizer, Table, TargetColumn, prepare
from engine.data.column_types import BooleanType, CategoryType, TextType
from engine.data.dataset import Dataset
from engine.data.encoding.column_options import BooleanColumn, CategoryColumn, NumberColumn
from engine.errors import RowError, SpecError

NAN = float("nan")
TYPES = {"job": CategoryType(labels=("clerk", "cook", "smith")), "paid": BooleanType()}
TABLE = Table(
    {
        "age": np.array([20.0, NAN, 40.0, 60.0]),
        "job": np.array([1, -1, 1, 0], np.int32),
        "paid": np.array([1.0, 0.0, 1.0, NAN]),
    },
    TYPES,
)
TARGET = TargetColumn("label", "classes", (0, 1))


def learned(table=TABLE, normalizer=None, **options):
    return Preprocessor.learn(table, normalizer or NoNormalizer(), TARGET, options)


def test_every_input_is_what_its_name_says():
    preprocessor = learned()
    assert preprocessor.names == [
        "age",
        "age is missing",
        "job = clerk",
        "job = cook",
        "job is missing",
        "paid",
        "paid is missing",
    ]
    np.testing.assert_array_equal(
        preprocessor.features(TABLE),
        [  # the median age is 40; most are cooks, and paid
            [20, 0, 0, 1, 0, 1, 0],
            [40, 1, 0, 1, 1, 0, 0],
            [40, 0, 0, 1, 0, 1, 0],
            [60, 0, 1, 0, 0, 1, 1],
        ],
    )


def test_only_numbers_are_scaled():
    x = learned(normalizer=StandardNormalizer()).features(TABLE)
    np.testing.assert_allclose(x[:, 0], (np.array([20, 40, 40, 60]) - 40) / np.sqrt(200))
    assert set(np.unique(x[:, 1:])) <= {0.0, 1.0}


def test_an_unseen_category_is_the_average_training_row():
    rows = [{"age": 30, "job": job, "paid": True} for job in ("smith", "pilot", "cook")]
    x, marks = learned().rows(rows)
    np.testing.assert_allclose(x[:, 2:5], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0], [0, 1, 0]])
    assert marks.unseen == {0: ["job"], 1: ["job"]}


def test_labels_count_by_their_words_whatever_another_file_numbers_them():
    other = Table(TABLE.columns, TYPES | {"job": CategoryType(labels=("cook", "clerk", "pilot"))})
    np.testing.assert_array_equal(learned().features(other)[:, 2:5], [[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 0]])


def test_an_ordinal_counts_along_its_order():
    option = CategoryColumn(encoding="ordinal", order=("smith", "cook", "clerk"))
    preprocessor = learned(TABLE.select(["job"]), job=option)
    np.testing.assert_array_equal(preprocessor.features(TABLE), [[1, 0], [1, 1], [1, 0], [2, 0]])
    with pytest.raises(SpecError, match="'clerk', which is not in the order") as caught:
        learned(TABLE.select(["job"]), job=CategoryColumn(encoding="ordinal", order=("smith", "cook")))
    assert caught.value.pointer == "/data/columns/job/order"


def test_types_are_overridden():
    table = Table(
        {
            "zip": np.array([7.0, 12.5, 7.0]),
            "yes": np.array([0, 1, -1], np.int32),
            "size": np.array([0, 1, 2], np.int32),
        },
        {"yes": CategoryType(labels=("No", "yes")), "size": TextType(holds="mixed", labels=("3", "4.5", "x"))},
    )
    number = NumberColumn(missing="most_frequent", unreadable="missing")
    x = learned(table, zip=CategoryColumn(), yes=BooleanColumn(), size=number)
    assert x.names == ["zip = 12.5", "zip = 7", "yes", "yes is missing", "size", "size is missing"]
    np.testing.assert_array_equal(x.features(table), [[0, 1, 0, 0, 3, 0], [1, 0, 1, 0, 4.5, 0], [0, 1, 0, 1, 3, 1]])
    with pytest.raises(SpecError, match="1 cells of column 'size' are no number, such as 'x'") as refused:
        learned(table, size=NumberColumn())
    assert refused.value.pointer == "/data/columns/size"


def test_raw_rows_are_the_rows_of_the_table():
    preprocessor = learned(normalizer=StandardNormalizer())
    columns = {name: TABLE.values(name) for name in TABLE.columns}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    expected = preprocessor.features(TABLE)
    np.testing.assert_array_equal(preprocessor.rows(rows)[0], expected)
    np.testing.assert_array_equal(preprocessor.rows([list(row.values()) for row in rows])[0], expected)
    as_cells = [{name: "?" if value is None else value for name, value in row.items()} for row in rows]
    np.testing.assert_array_equal(preprocessor.rows(as_cells)[0], expected)


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"age": "old"}, "age", "holds 'old'; it takes numbers"),
        ({"age": True}, "age", "holds true"),
        ({"job": ["cook"]}, "job", "an array of 1; it takes one of clerk, cook"),
        ({"paid": "maybe"}, "paid", "takes true or false"),
        ({"paid": 2}, "paid", "takes true or false"),
    ],
)
def test_a_value_of_another_type_is_named(change, field, sentence):
    good = {"age": 20, "job": "cook", "paid": True}
    with pytest.raises(RowError, match=sentence) as caught:
        learned().rows([good, good | change])
    assert (caught.value.row, caught.value.field) == (1, field)


def test_integers_that_float64_cannot_hold_are_no_numbers_and_it_is_said_why():
    ids = CategoryType(labels=("9007199254740993", "9007199254740995"))
    table = Table({"id": np.array([0, 1, 0], np.int32)}, {"id": ids})
    with pytest.raises(SpecError, match=r"3 cells of column 'id' are integers that float64 cannot hold") as refused:
        learned(table, id=NumberColumn())
    assert "neighbors become one" in refused.value.detail and '{"type": "category"}' in refused.value.detail


def test_what_is_missing_is_filled_as_training_taught_and_said():
    whole = learned(TABLE.take(slice(0, 1)))
    row = {"age": 20, "job": "cook", "paid": True}
    expected = whole.rows([row])[0]
    for name in TABLE.columns:
        for lacking in ({**row, name: None}, {**row, name: " "}, {key: row[key] for key in row if key != name}):
            x, marks = whole.rows([row, lacking])
            np.testing.assert_array_equal(x, np.vstack([expected, expected]))
            assert marks.filled == {1: [name]} and not marks.ignored


def test_fields_that_are_not_known_are_passed_over_and_said_unless_one_is_misspelled():
    row = {"age": 20, "job": "cook", "paid": True}
    x, marks = learned().rows([row | {"id": 7}, row | {"id": 8}])
    np.testing.assert_array_equal(x[0], x[1])
    assert marks.ignored == {"id": 0} and not marks.by_kind
    with pytest.raises(RowError, match=r"unknown field 'agee'\. Did you mean 'age'"):
        learned().rows([{"agee": 20, "job": "cook", "paid": True}])
    with pytest.raises(RowError, match="none of the model's fields: 'age', 'job', 'paid'"):
        learned().rows([{"x": 20}])


def test_a_number_far_outside_the_training_range_is_said():
    marks = learned().rows([{"age": age, "job": "cook", "paid": True} for age in (-20, 100, 101, -21)])[1]
    assert marks.outside == {2: ["age"], 3: ["age"]}  # training rows are from 20 to 60


def test_a_stored_preprocessor_does_the_same():
    before = learned(normalizer=StandardNormalizer())
    after = Preprocessor.from_json(json.loads(json.dumps(before.to_json())), before.arrays())
    np.testing.assert_array_equal(after.features(TABLE), before.features(TABLE))
    assert after.options == before.options


def dataset(rows: int, seed: int, **columns) -> Dataset:
    rng = np.random.default_rng(seed)
    made = {
        "x": np.where(rng.random(rows) < 0.2, NAN, rng.normal(size=rows)),
        "c": rng.integers(-1, 3, rows).astype(np.int32),
        "y": (np.arange(rows) % 2).astype(np.int32),
    }
    types = {"c": CategoryType(labels=("a", "b", "c")), "y": CategoryType(labels=("<=50K", ">50K"))}
    return Dataset(
        {
            "all": Table(
                made | columns,
                types | {n: TextType(holds="dates", example="'1.1.20'", labels=("1.1.20",)) for n in columns},
            )
        }
    )


@given(st.integers(0, 100))
def test_training_statistics_do_not_depend_on_dev_and_test_rows(seed):
    given_split = {"type": "given", "dev": "dev", "test": "test"}
    spec = DataSpec(train="t", target="y", split=given_split)
    learned_twice = [
        prepare(spec, {"t": dataset(40, 0), "dev": dataset(20, s), "test": dataset(30, s + 1)}, dtype="f8").preprocessor
        for s in (1000, seed)
    ]
    assert learned_twice[0].to_json() == learned_twice[1].to_json()
    for name, array in learned_twice[0].arrays().items():
        np.testing.assert_array_equal(array, learned_twice[1].arrays()[name])


def test_classes_are_the_labels_as_they_were_given():
    data = prepare(DataSpec(train="t", target="y"), {"t": dataset(40, 0)}, dtype="f8")
    assert data.preprocessor.classes == ("<=50K", ">50K")


def test_dates_are_refused_by_name_until_they_are_ignored():
    held = {"t": dataset(40, 0, day=np.zeros(40, np.int32))}
    with pytest.raises(SpecError, match=r"column 'day' holds dates, such as '1\.1\.20'; a network takes no dates"):
        prepare(DataSpec(train="t", target="y"), held, dtype="f8")
    prepare(DataSpec(train="t", target="y", features=("x", "c")), held, dtype="f8")
    prepare(DataSpec(train="t", target="y", columns={"day": {"type": "ignore"}}), held, dtype="f8")
    prepare(DataSpec(train="t", target="y", columns={"day": {"type": "category"}}), held, dtype="f8")


@pytest.mark.parametrize(
    ("columns", "pointer", "sentence"),
    [
        ({"xx": {"type": "number"}}, "/data/columns/xx", "no column 'xx'. Did you mean 'x'"),
        ({"y": {"type": "ignore"}}, "/data/columns/y", "is the target"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(columns, pointer, sentence):
    with pytest.raises(SpecError, match=sentence) as caught:
        prepare(DataSpec(train="t", target="y", columns=columns), {"t": dataset(40, 0)}, dtype="f8")
    assert caught.value.pointer == pointer


def test_a_target_that_is_missing_in_a_row_is_refused():
    column = (np.arange(40) % 3 - 1).astype(np.int32)
    table = dataset(40, 0).training
    held = {"t": Dataset({"all": Table(table.columns | {"y": column}, table.types)})}
    with pytest.raises(SpecError, match="'y' is missing in 14 of 40 rows"):
        prepare(DataSpec(train="t", target="y"), held, dtype="f8")


def test_a_boolean_target_is_true_or_false():
    table = Table({"x": np.arange(4.0), "y": np.array([1.0, 0, 1, 0])}, {"y": BooleanType()})
    data = prepare(DataSpec(train="t", target="y"), {"t": Dataset({"train": table})}, dtype="f8")
    assert data.preprocessor.classes == (False, True)
    np.testing.assert_array_equal(data.y["train"], [1, 0, 1, 0])
