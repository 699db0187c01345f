"""A dataset survives its file, and its hash follows the content and nothing else."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors import safe_open

from engine.data import Dataset, Table
from engine.errors import DataError

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)


@st.composite
def datasets(draw):
    spec = draw(st.dictionaries(NAMES, st.tuples(st.sampled_from(DTYPES), st.sampled_from([(), (2,), (2, 3)]))))
    spec = spec or {"a/b": ("f8", ())}
    parts = draw(st.sampled_from([("all",), ("train", "test"), ("train", "dev", "test")]))

    def table() -> Table:
        rows = draw(st.integers(1, 4))
        return Table({name: draw(arrays.arrays(dtype, (rows, *shape))) for name, (dtype, shape) in spec.items()})

    return Dataset({part: table() for part in parts})


@given(datasets())
def test_a_saved_dataset_loads_equal_and_keeps_its_hash(new_folder, dataset):
    path = new_folder() / "d.safetensors"
    dataset.save(path)
    loaded = Dataset.load(path)
    assert list(loaded.parts) == list(dataset.parts)
    for part, table in dataset.parts.items():
        assert list(loaded.parts[part].columns) == list(table.columns)
        for name, column in table.columns.items():
            np.testing.assert_array_equal(loaded.parts[part].columns[name], column)
            assert loaded.parts[part].columns[name].dtype == column.dtype
    assert loaded.sha256() == dataset.sha256()


@given(datasets())
def test_the_safetensors_library_reads_the_same(new_folder, dataset):
    path = new_folder() / "d.safetensors"
    dataset.save(path)
    with safe_open(path, "np") as file:
        for part, table in dataset.parts.items():
            for name, column in table.columns.items():
                alike = [n for n, c in table.columns.items() if c.ndim == 1 and c.dtype == column.dtype]
                if column.ndim > 1 or len(alike) == 1:
                    found = file.get_tensor(f"{part}/{name}")
                else:
                    found = file.get_tensor(f"{part}:{column.dtype.name}")[:, alike.index(name)]
                np.testing.assert_array_equal(found, column)


def test_the_hash_is_the_same_in_another_process():
    program = (
        "import numpy as np; from engine.data import Dataset, Table;"
        "print(Dataset({'all': Table({'b': np.arange(3.0), 'a': np.arange(3)})}).sha256())"
    )
    here = Dataset({"all": Table({"b": np.arange(3.0), "a": np.arange(3)})}).sha256()
    there = {subprocess.check_output([sys.executable, "-P", "-c", program], text=True).strip() for _ in range(2)}
    assert there == {here}


def test_the_hash_follows_names_types_shapes_order_parts_and_values():
    a = np.arange(4.0)
    variants = [
        Dataset({"all": Table({"a": a, "b": a})}),
        Dataset({"all": Table({"b": a, "a": a})}),
        Dataset({"train": Table({"a": a, "b": a})}),
        Dataset({"all": Table({"a": a, "b": a.astype(np.float32)})}),
        Dataset({"all": Table({"a": a, "b": a.astype(">f8") + 1})}),
        Dataset({"all": Table({"a": a.reshape(2, 2), "b": a.reshape(2, 2)})}),
    ]
    assert len({dataset.sha256() for dataset in variants}) == len(variants)
    assert Dataset({"all": Table({"a": a})}).sha256() == Dataset({"all": Table({"a": a.astype(">f8")})}).sha256()
    assert Dataset({"all": Table({"a": a})}).sha256() == Dataset({"all": Table({"a": np.repeat(a, 2)[::2]})}).sha256()


@given(datasets())
def test_summary_and_preview_of_finite_data_are_json(dataset):
    finite = Dataset({
        part: Table({name: np.nan_to_num(c, posinf=1, neginf=-1) if c.dtype.kind == "f" else c
                     for name, c in table.columns.items()})
        for part, table in dataset.parts.items()
    })  # fmt: skip
    for document in (finite.summary(), finite.preview(2)):
        assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_tables_that_do_not_fit_together_are_refused():
    with pytest.raises(DataError, match="equally long"):
        Table({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(DataError, match="same columns"):
        Dataset({"train": Table({"a": np.zeros(2)}), "test": Table({"b": np.zeros(2)})})
    with pytest.raises(DataError, match="'all'"):
        Dataset({"test": Table({"a": np.zeros(2)})})
