"""A short form means its long one, whichever way it is read, and is never written."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine import JobSpec
from engine.activations import AnyActivation
from engine.component import Component
from engine.short_forms import pointer_as_written, reachable
from engine.spec_places import components, is_family, type_of
from tests.engine.documents import DATA, at

ACTIVATIONS = [str(type_of(member)) for member in AnyActivation.__args__]


def read(document: object) -> JobSpec:
    """The spec as a library, a service and a reader of its own output read it: all the same."""
    spec = JobSpec.model_validate(document)
    assert JobSpec.model_validate_json(json.dumps(document), strict=True) == spec
    assert JobSpec.model_validate_json(spec.model_dump_json(), strict=True) == spec
    assert JobSpec.model_validate(spec.model_dump()) == spec
    return spec


def is_enough(member: type[Component]) -> bool:
    return not any(field.is_required() for field in member.model_fields.values())


MEMBERS = [
    pytest.param(place, member, id=f"{place} {type_of(member)}")
    for place, members in components().items()
    if is_family(place)
    for member in members
]


@pytest.mark.parametrize(("place", "member"), MEMBERS)
def test_a_name_stands_for_a_component_with_its_defaults(place: str, member: type[Component]) -> None:
    name = type_of(member)
    if is_enough(member):
        assert read(at(place, name)) == read(at(place, {"type": name}))
        return
    with pytest.raises(ValidationError) as short:
        JobSpec.model_validate(at(place, name))
    with pytest.raises(ValidationError) as long:
        JobSpec.model_validate(at(place, {"type": name}))
    assert [error["type"] for error in short.value.errors()] == [error["type"] for error in long.value.errors()]


STACKS = [
    ([64, "tanh", 32], ["dense 64", "tanh", "dense 32", "relu"]),
    ([64, 32], ["dense 64", "relu", "dense 32", "relu"]),
    ([64, {"type": "tanh"}], ["dense 64", "tanh"]),
    ([64, "linear"], ["dense 64", "linear"]),
    ([64, "dropout", 32], ["dense 64", "relu", "dropout", "dense 32", "relu"]),
    ([64, "dropout", "tanh"], ["dense 64", "dropout", "tanh"]),
    ([64, "batch_norm", 32], ["dense 64", "batch_norm", "relu", "dense 32", "relu"]),
    ([64, "batch_norm", "elu", "dropout"], ["dense 64", "batch_norm", "elu", "dropout"]),
    ([{"type": "dense", "units": 64}, 32], ["dense 64", "dense 32", "relu"]),
    ([{"type": "dense", "units": 64}], ["dense 64"]),
    ([64, {"type": "dense", "units": 8}, "tanh"], ["dense 64", "relu", "dense 8", "tanh"]),
    (["tanh", 8], ["tanh", "dense 8", "relu"]),
]


def named(spec: JobSpec) -> list[str]:
    """The types of the layers, and the units of those that have some."""
    return [f"{type_of(type(each))} {getattr(each, 'units', '')}".strip() for each in spec.layers]


@pytest.mark.parametrize(("written", "meant"), STACKS, ids=str)
def test_a_number_is_a_dense_layer_with_its_activation(written: list[Any], meant: list[str]) -> None:
    assert named(read({"data": DATA, "layers": written})) == meant


KINDS = {
    "n": st.integers(1, 99),
    "D": st.builds(lambda units: {"type": "dense", "units": units}, st.integers(1, 99)),
    "B": st.sampled_from(["batch_norm", {"type": "batch_norm"}]),
    "O": st.sampled_from(["dropout", {"type": "dropout", "keep_prob": 0.5}]),
    "A": st.sampled_from(ACTIVATIONS).flatmap(lambda name: st.sampled_from([name, {"type": name}])),
}


ENTRIES = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), KINDS[kind]))


@given(st.lists(ENTRIES, max_size=12))
def test_a_short_list_means_what_the_rule_says(drawn: list[tuple[str, Any]]) -> None:
    """The rule as a regular expression over the kinds: ReLU, behind batch norm, where no activation follows."""
    kinds = "".join(kind for kind, _ in drawn)
    expected = re.sub("n(B*)(?=[BO]*(?:[nD]|$))", r"D\1A", kinds).replace("n", "D")
    spec = read({"data": DATA, "layers": [entry for _, entry in drawn]})
    letters = {"dense": "D", "batch_norm": "B", "dropout": "O"} | dict.fromkeys(ACTIVATIONS, "A")
    assert "".join(letters[str(type_of(type(layer)))] for layer in spec.layers) == expected
    for kind, entry in drawn:
        if kind == "n":
            assert f"dense {entry}" in named(spec)


@given(st.integers(1, 98).flatmap(lambda train: st.tuples(st.just(train), st.integers(0, 99 - train))))
def test_three_shares_are_fractions(percents: tuple[int, int]) -> None:
    train, dev = percents
    shares = [train / 100, dev / 100, (100 - train - dev) / 100]
    long = {"type": "fractions", **dict(zip(("train", "dev", "test"), shares, strict=True))}
    assert read(at("/data/split", shares)) == read(at("/data/split", long))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("/schedule", {"type": "table", "rates": [[0, 0.1], [5, 0.01]]}),
        ("/data/columns/*", {"type": "category", "encoding": "ordinal", "order": ["low", "high"]}),
    ],
)
def test_arrays_within_a_component_are_read_as_json_has_them(place: str, value: object) -> None:
    read(at(place, value))


def test_a_short_form_is_not_in_the_schema() -> None:
    """Generators of clients know objects told apart by their type; a form that may be several things stops them."""
    schema = JobSpec.model_json_schema()
    assert all(set(each) == {"$ref"} for each in schema["properties"]["optimizer"]["oneOf"])
    assert set(schema["properties"]["layers"]["items"]) == {"oneOf", "discriminator"}


WRITTEN = {"layers": [64, "batch_norm", 32, "tanh", {"type": "dense", "units": 8}], "loss": "auto", "a/b": {"~": "x"}}


@pytest.mark.parametrize(
    ("pointer", "written"),
    [
        ("/layers/0/units", "/layers/0"),
        ("/layers/1", "/layers/1"),
        ("/layers/2", "/layers/0"),  # the ReLU that stands in no place of its own
        ("/layers/3/units", "/layers/2"),
        ("/layers/5/units", "/layers/4/units"),
        ("/layers", "/layers"),
        ("/loss/type", "/loss"),
        ("/optimizer/type", "/optimizer/type"),
        ("/a~1b/~0/c", "/a~1b/~0"),
        ("", ""),
    ],
)
def test_an_error_of_the_long_form_points_into_the_short_one(pointer: str, written: str) -> None:
    assert pointer_as_written(WRITTEN, pointer) == written


def test_what_is_missing_is_pointed_to_where_it_belongs() -> None:
    assert reachable({"data": {}}, ("data", "split", "train")) == ("data", "split", "train")
    assert reachable({"layers": ["dense"]}, ("layers", "0", "units")) == ("layers", "0")
