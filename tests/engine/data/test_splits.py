"""Every row lands in exactly one part, classes keep their shares, and the same seed divides alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.data import ColumnSplit, Dataset, FractionSplit, GivenSplit, Table
from engine.data.column_types import BooleanType, CategoryType, NumberType
from engine.errors import SpecError


def numbered(rows: int, **columns) -> Table:
    return Table({"row": np.arange(rows)} | {name: np.asarray(values) for name, values in columns.items()})


def rows_of(parts: dict[str, Table]) -> list[int]:
    return sorted(int(row) for table in parts.values() for row in table.columns["row"])


@st.composite
def fraction_splits(draw):
    dev = draw(st.floats(0, 0.45))
    test = draw(st.floats(0, 0.45))
    return FractionSplit(
        train=1 - dev - test,
        dev=dev,
        test=test,
        stratify=draw(st.booleans()),
        seed=draw(st.integers(0, 2**63 - 1)),
    )


@given(split=fraction_splits(), classes=st.lists(st.integers(0, 5), min_size=1, max_size=200))
def test_fractions_cover_every_row_once(split, classes):
    parts = split.parts(Dataset({"all": numbered(len(classes), label=classes)}), "label", {})
    assert rows_of(parts) == list(range(len(classes)))
    assert parts["train"].rows >= 1


@given(split=fraction_splits(), classes=st.lists(st.integers(0, 5), min_size=1, max_size=200))
def test_stratified_fractions_keep_class_shares_within_one_row(split, classes):
    split = split.model_copy(update={"stratify": True})
    parts = split.parts(Dataset({"all": numbered(len(classes), label=classes)}), "label", {})
    for label in set(classes):
        for part in ("train", "dev", "test"):
            held = int((parts[part].columns["label"] == label).sum()) if part in parts else 0
            assert abs(held - getattr(split, part) * classes.count(label)) < 1 + 1e-9


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.floats(0, 0.49))
def test_train_sees_every_class_even_of_one_row(classes, share):
    split = FractionSplit(train=1 - 2 * share, dev=share, test=share)
    parts = split.parts(Dataset({"all": numbered(len(classes), label=classes)}), "label", {})
    assert set(parts["train"].columns["label"]) == set(classes)


def test_many_classes_of_two_rows_fill_dev_and_test_alike():
    parts = FractionSplit().parts(Dataset({"all": numbered(200, label=np.arange(200) // 2)}), "label", {})
    assert {part: table.rows for part, table in parts.items()} == {"train": 120, "dev": 40, "test": 40}


def test_the_default_gives_60_20_20_shuffled():
    parts = FractionSplit().parts(Dataset({"all": numbered(1000)}), None, {})
    assert {part: table.rows for part, table in parts.items()} == {"train": 600, "dev": 200, "test": 200}
    assert list(parts["train"].columns["row"]) != sorted(parts["train"].columns["row"])


def test_the_seed_decides_the_rows():
    dataset = Dataset({"all": numbered(50)})
    first, same, other = (FractionSplit(seed=seed).parts(dataset, None, {}) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["train"].columns["row"], same["train"].columns["row"])
    assert list(first["train"].columns["row"]) != list(other["train"].columns["row"])


def test_the_order_is_numpys_pcg64_permutation():
    parts = FractionSplit(train=1, dev=0, test=0, seed=7).parts(Dataset({"all": numbered(20)}), None, {})
    np.testing.assert_array_equal(parts["train"].columns["row"], np.random.default_rng(7).permutation(20))


def test_given_parts_stand_unless_fractions_are_asked_for():
    dataset = Dataset({"train": numbered(8), "test": Table({"row": np.arange(8, 10)})})
    default = FractionSplit().parts(dataset, None, {})
    assert {part: table.rows for part, table in default.items()} == {"train": 8, "test": 2}
    asked = FractionSplit(train=0.5, dev=0.3, test=0.2).parts(dataset, None, {})
    assert {part: table.rows for part, table in asked.items()} == {"train": 5, "dev": 3, "test": 2}
    assert rows_of(asked) == list(range(10))


def test_given_dev_and_test_may_come_from_other_datasets():
    whole, parted = Dataset({"all": numbered(4)}), Dataset({"train": numbered(6), "test": numbered(2)})
    parts = GivenSplit(dev="whole", test="parted").parts(whole, None, {"whole": whole, "parted": parted})
    assert {part: table.rows for part, table in parts.items()} == {"train": 4, "dev": 4, "test": 2}
    assert GivenSplit().parts(whole, None, {}).keys() == {"train"}
    with pytest.raises(SpecError, match="no dev part") as caught:
        GivenSplit(dev="parted").parts(whole, None, {"parted": parted})
    assert caught.value.pointer == "/data/split/dev"


@given(
    split=fraction_splits(),
    groups=st.lists(st.integers(0, 12), min_size=3, max_size=200).filter(lambda groups: len(set(groups)) >= 3),
    data=st.data(),
)
def test_grouped_fractions_cover_every_row_once_and_never_share_a_group(split, groups, data):
    classes = data.draw(st.lists(st.integers(0, 3), min_size=len(groups), max_size=len(groups)))
    split = split.model_copy(update={"group_by": "group"})
    parts = split.parts(Dataset({"all": numbered(len(groups), label=classes, group=groups)}), "label", {})
    assert rows_of(parts) == list(range(len(groups)))
    held = [set(table.columns["group"].tolist()) for table in parts.values()]
    assert sum(map(len, held)) == len(set(groups))
    assert parts.keys() == {name for name in ("train", "dev", "test") if getattr(split, name) > 0}


def test_many_groups_keep_shares_and_classes():
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(400), generator.integers(1, 9, 400))
    label = (group % 5 == 0).astype(int)
    parts = FractionSplit(group_by="group").parts(
        Dataset({"all": numbered(len(group), label=label, group=group)}), "label", {}
    )
    for name, share in (("train", 0.6), ("dev", 0.2), ("test", 0.2)):
        assert parts[name].rows / len(group) == pytest.approx(share, abs=0.01)
        assert np.mean(parts[name].columns["label"]) == pytest.approx(label.mean(), abs=0.01)


def test_groups_may_be_words():
    types = {"who": CategoryType(labels=("ann", "bob", "eve"))}
    table = Table({"row": np.arange(30), "who": np.arange(30, dtype=np.int32) % 3}, types)
    parts = FractionSplit(group_by="who").parts(Dataset({"all": table}), None, {})
    assert {name: len(set(part.columns["who"].tolist())) for name, part in parts.items()} == {
        "train": 1, "dev": 1, "test": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [(np.array([0.0, 1, 1, 0]), "2 groups"), (np.array([0, 1, np.nan, 2]), "1 rows"), (np.ones((4, 2)), "shape")],
)
def test_groups_that_cannot_be_kept_together_are_refused(groups, sentence):
    with pytest.raises(SpecError, match=sentence) as caught:
        FractionSplit(group_by="group").parts(Dataset({"all": numbered(4, group=groups)}), None, {})
    assert caught.value.pointer == "/data/split/group_by"


@pytest.mark.parametrize(("rows", "sizes"), [(1000, (600, 200, 200)), (20_000, (18_000, 1000, 1000))])
def test_fractions_that_are_null_follow_the_advice_for_the_number_of_rows(rows, sizes):
    split = FractionSplit(train=None, dev=None, test=None)
    parts = split.parts(Dataset({"all": numbered(rows)}), None, {})
    assert tuple(parts[name].rows for name in ("train", "dev", "test")) == sizes


def test_the_words_train_dev_and_test_say_the_part():
    types = {"part": CategoryType(labels=("Test", "train", "validation"))}
    table = Table({"row": np.arange(4), "part": np.array([1, 2, 0, 1], np.int32)}, types)
    parts = ColumnSplit(column="part").parts(Dataset({"all": table}), None, {})
    assert {name: part.columns["row"].tolist() for name, part in parts.items()} == {
        "train": [0, 3], "dev": [1], "test": [2],
    }  # fmt: skip
    table = Table({"row": np.arange(2), "part": np.array([0, -1], np.int32)}, types)
    with pytest.raises(SpecError, match="no value"):
        ColumnSplit(column="part").parts(Dataset({"all": table}), None, {})


def test_marks_are_read_by_what_they_say_however_they_are_stored():
    """Of spelled numbers the codes are places among the spellings, and those below 0 are words for what is missing."""
    held = NumberType(labels=("0", "2.0"), markers=("NA",))
    for marks, test in (([0, 1, 0], [1]), ([1, 0, 1], [0, 2])):
        table = Table({"row": np.arange(3), "part": np.array(marks, np.int32)}, {"part": held})
        parts = ColumnSplit(column="part").parts(Dataset({"all": table}), None, {})
        assert set(parts) == {"train", "test"} and parts["test"].columns["row"].tolist() == test
    for kind in (held, CategoryType(labels=("test", "train"), markers=("NA",))):
        table = Table({"part": np.array([0, 1, -2], np.int32)}, {"part": kind})
        with pytest.raises(SpecError, match="no value"):
            ColumnSplit(column="part").parts(Dataset({"all": table}), None, {})


@pytest.mark.parametrize(
    ("marks", "held"),
    [(np.array([1.0, 0.0]), BooleanType()), (np.array([1, 0], np.int32), BooleanType(labels=("False", "True")))],
)
def test_a_column_of_true_and_false_says_no_part(marks, held):
    with pytest.raises(SpecError, match=r"holds true and false.*write 0 or train") as refused:
        ColumnSplit(column="part").parts(Dataset({"all": Table({"part": marks}, {"part": held})}), None, {})
    assert refused.value.pointer == "/data/split/column"


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=30).filter(lambda marks: 0 in marks))
def test_a_column_puts_every_row_where_it_says(marks):
    parts = ColumnSplit(column="part").parts(Dataset({"all": numbered(len(marks), part=marks)}), None, {})
    for number, part in enumerate(("train", "dev", "test")):
        rows = list(parts[part].columns["row"]) if part in parts else []
        assert rows == [row for row, mark in enumerate(marks) if mark == number]


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [([0, 1, 3], "holds 3"), ([1, 2, 1], "no row into train"), (np.zeros((3, 2)), "shape")],
)
def test_a_column_that_says_something_else_is_refused(marks, sentence):
    with pytest.raises(SpecError, match=sentence) as caught:
        ColumnSplit(column="part").parts(Dataset({"all": numbered(3, part=marks)}), None, {})
    assert caught.value.pointer == "/data/split/column"


@pytest.mark.parametrize(
    "fields",
    [
        {"train": None},
        {"train": 0.8},
        {"train": 0},
        {"dev": -0.2},
        {"seed": -1},
        {"seed": 2**63},
        {"train": float("nan")},
    ],
)
def test_fractions_that_make_no_whole_are_refused(fields):
    with pytest.raises(ValidationError):
        FractionSplit.model_validate(fields)
