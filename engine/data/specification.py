"""The part of a training spec that says what is learned from which rows."""

from collections import Counter
from typing import Annotated

from pydantic import Field, field_validator

from engine.component import Component
from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.encoding.column_options import ColumnOption
from engine.data.encoding.normalizers import Normalizer, StandardNormalizer
from engine.data.splits import DatasetName, FractionSplit, GivenSplit, Name, Split


class DataSpec(Component):
    """Which dataset is learned from, what is predicted from what, and how rows are divided and scaled."""

    train: DatasetName = Field(
        description="The dataset to learn from: the id or the name of an upload (`name@2` for its second version, "
        "else the newest), or a sample set such as `digits`."
    )
    target: Name = Field(
        description="The column to predict. In an NPZ dataset and in the sample sets it is `label` "
        "(`target` in `diabetes`)."
    )
    features: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        None,
        description="The columns to predict from, in this order; null takes all but the target and what "
        "rows are split by. Name them to leave out an identifier, or what gives the answer away.",
    )
    split: Split = Field(
        default_factory=FractionSplit,
        description="How rows are divided into train, dev and test; in short by three shares, `[0.6, 0.2, 0.2]`. As "
        "long as it is the default, a dataset that brings its own parts keeps them.",
    )
    normalize: Normalizer = Field(
        default_factory=StandardNormalizer,
        description='How inputs are scaled; in short by name, `"minmax"`. Learned from the training rows only and kept '
        "in the model.",
    )
    columns: dict[Name, ColumnOption] = Field(
        default_factory=dict,
        description="What a column holds where that is not what its values suggest, and how it becomes inputs, as "
        '`{"zip": {"type": "category"}, "id": {"type": "ignore"}, '
        '"grade": {"type": "category", "encoding": "ordinal", "order": ["C", "B", "A"]}}`.',
    )
    augment: Annotated[tuple[AnyAugmentation, ...], Field(max_length=16)] = Field(
        (),
        description="Random variations of the training rows, drawn anew in every epoch by the seed: what moves pixels "
        "acts as one step, then light, colors and noise in this order, then mixup.",
    )

    @field_validator("features")
    @classmethod
    def names_differ(cls, features: tuple[str, ...] | None) -> tuple[str, ...] | None:
        name, times = Counter(features or ("",)).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{name!r} is listed {times} times; name every feature once")
        return features


def dataset_references(spec: DataSpec) -> list[tuple[str, str]]:
    """Every dataset the spec names, each with the JSON pointer of the field that names it."""
    references = [("/data/train", spec.train)]
    if isinstance(spec.split, GivenSplit):
        named = (("dev", spec.split.dev), ("test", spec.split.test))
        references += [(f"/data/split/{part}", name) for part, name in named if name is not None]
    return references
