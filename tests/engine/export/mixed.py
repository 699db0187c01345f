"""A table with a column of every kind, and models trained on it."""

import numpy as np

from engine import Dataset, Model, Table
from engine.data.column_types import BooleanType, CategoryType
from tests.engine.jobs import events_of, finished, spec_of

COLORS = ("blue", "green", "red")
SIZES = ("large", "medium", "small")


def mixed(m: int = 120, target: str = "classes") -> Dataset:
    """Numbers, some missing; booleans; labels, some missing; an ordered label; a small image."""
    generator = np.random.default_rng(3)
    age = generator.uniform(18, 80, m)
    income = np.where(generator.random(m) < 0.1, np.nan, generator.normal(50_000, 9_000, m))
    member = (generator.random(m) < 0.4).astype(float)
    color = generator.integers(-1, 3, m).astype(np.int32)
    size = generator.integers(0, 3, m).astype(np.int32)
    patch = generator.random((m, 2, 3))
    score = age / 40 + member - (color == 2) + size / 3 + patch.sum(axis=(1, 2)) + generator.normal(0, 0.3, m)
    label = score if target == "value" else np.digitize(score, np.quantile(score, [0.33, 0.66])).astype(np.int32)
    types = {
        "member": BooleanType(),
        "color": CategoryType(labels=COLORS),
        "size": CategoryType(labels=SIZES),
        **({} if target == "value" else {"label": CategoryType(labels=("low", "middle", "high"))}),
    }
    columns = {
        "age": age, "income": income, "member": member, "color": color, "size": size, "patch": patch, "label": label
    }  # fmt: skip
    return Dataset({"all": Table(columns, types)})


def mixed_model(target: str = "classes", precision: str = "float32") -> Model:
    """A model trained for three epochs on `mixed`, with `size` taken along its order."""
    columns = {"size": {"type": "category", "encoding": "ordinal", "order": ["small", "medium", "large"]}}
    spec = spec_of(
        data={"train": "toy", "target": "label", "columns": columns}, precision=precision, training={"epochs": 3}
    )
    return finished(events_of(spec, mixed(target=target))).model


ROWS: list[dict[str, object]] = [
    {"age": 30.0, "income": 61_000.5, "member": True, "color": "red", "size": "small", "patch": [[0.1] * 3] * 2},
    {"age": 71.5, "income": None, "member": False, "color": None, "size": "large", "patch": [[0.2] * 3] * 2},
    {"age": 18.0, "income": 20_000, "member": False, "color": "violet", "size": "medium", "patch": [[0.9] * 3] * 2},
]
"""One as in training, one that lacks what may be lacked, one with a label never seen."""
