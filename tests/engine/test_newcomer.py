"""Adding an optimizer touches one file: this one adds Adagrad, and finds it everywhere."""

from typing import Annotated, Literal, Union

import numpy as np
import pytest
from pydantic import Field, ValidationError

from engine import JobSpec
from engine.family import Family
from engine.optimizers import AnyOptimizer, Epsilon, GradientDescent, Optimizer
from engine.parameters import Array, Arrays
from tests.engine.families import members, plain, type_of
from tests.engine.jobs import events_of, finished, rows_of, spec_of
from tests.engine.optax_answers import ANSWERS
from tests.engine.steps import Steps, assert_descends_the_parabola, assert_rests_without_a_slope


class Adagrad(Optimizer):
    """s ← s + g²; θ ← θ − α·g/(√s + ε) (Duchi et al. 2011)."""

    type: Literal["adagrad"] = "adagrad"
    epsilon: Epsilon = 1e-8
    slots = ("s",)

    def update(self, theta: Array, g: Array, slots: Arrays, alpha: float, t: int, work: Arrays) -> None:
        s = slots.s
        np.multiply(g, g, out=work.a)
        s += work.a
        np.sqrt(s, out=work.a)
        work.a += self.epsilon
        np.divide(g, work.a, out=work.a)
        work.a *= alpha
        theta -= work.a


Grown = Annotated[Union[*members(AnyOptimizer), Adagrad], Family()]


class GrownSpec(JobSpec):
    """A job spec whose optimizers have a newcomer among them."""

    optimizer: Grown = Field(GradientDescent(), description="how the parameters follow the gradient")


def spec_with(**optimizer: object) -> GrownSpec:
    return GrownSpec.model_validate(spec_of().model_dump(mode="json") | {"optimizer": optimizer})


def test_is_validated_like_the_others() -> None:
    assert spec_with(type="adagrad", learning_rate=0.5).optimizer == Adagrad(learning_rate=0.5)
    assert GrownSpec.model_validate(spec_of().model_dump() | {"optimizer": "adagrad"}).optimizer == Adagrad()
    for wrong in ({"learning_rate": -1}, {"epsilon": 0}, {"betta": 0.9}):
        with pytest.raises(ValidationError):
            spec_with(type="adagrad", **wrong)
    with pytest.raises(ValidationError):
        spec_of(optimizer={"type": "adagrad"})


def test_is_in_the_schema_with_the_help_of_its_fields() -> None:
    schema = GrownSpec.model_json_schema()
    assert schema["properties"]["optimizer"]["discriminator"]["mapping"]["adagrad"] == "#/$defs/Adagrad"
    rate = schema["$defs"]["Adagrad"]["properties"]["learning_rate"]
    assert rate["default"] == 0.01 and rate["importance"] == 1 and rate["description"]


def test_is_met_by_the_contract_of_its_family() -> None:
    newcomer = next(member for member in members(Grown) if type_of(member) == "adagrad")
    assert_rests_without_a_slope(plain(newcomer))
    assert_descends_the_parabola(plain(newcomer), alpha=0.5)


def test_survives_json_and_trains() -> None:
    spec = spec_with(type="adagrad", learning_rate=0.1)
    assert GrownSpec.model_validate_json(spec.model_dump_json()) == spec
    events = events_of(spec)
    rows = rows_of(events)
    assert rows[-1]["train_cost"] < rows[0]["train_cost"]
    assert finished(events).model.spec.optimizer == spec.optimizer


def test_steps_as_optax_has_it() -> None:
    """Where gradients are not small: theirs has ε beneath the root."""
    columns, gradients = slice(2, 5), np.array(ANSWERS["gradients"])
    ours = Steps(Adagrad(), ANSWERS["start"][columns])
    thetas = [ours.step(g, ANSWERS["alpha"]).copy() for g in gradients[:, columns]]
    for t, theta in zip(ANSWERS["kept"], ANSWERS["optimizers"]["adagrad"], strict=True):
        np.testing.assert_allclose(thetas[t - 1], theta[columns], rtol=1e-5)
