"""Is backpropagation right? Compare it with finite differences, component by component.

dθ_approx[i] = (J(θ + εeᵢ) − J(θ − εeᵢ))/2ε has an error of O(ε²), the one-sided (J(θ + εeᵢ) − J(θ))/ε one of O(ε).
difference = ‖dθ_approx − dθ‖₂/(‖dθ_approx‖₂ + ‖dθ‖₂). Always in float64, with dropout off, penalties included and
batch norm on the batch. For debugging only: two forward passes a component are far too slow to train with.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from engine.component import Component
from engine.errors import Diverged
from engine.examples import Examples
from engine.layer import Mode, Pass
from engine.network import Network, Workspace
from engine.parameters import Array, Parameters
from engine.spec import Moment

Verdict = Literal["great", "okay", "suspect", "wrong"]
Sided = Literal["one", "two"]

EPSILON = 1e-7
SAMPLE = 1000  # components checked of a network that has more
AT_LEAST = 5  # components checked of every tensor, however small its share
EXAMPLES = 64


class GradientCheckSpec(Component):
    """What to check beside the moments that a job's own spec names, and how closely."""

    at: Moment = Field("end", description="whose parameters: start, end, or those after an epoch")
    epsilon: float = Field(
        EPSILON,
        gt=0,
        le=1e-2,
        description="how far a component is moved; smaller is truer, until rounding J takes over",
    )
    sided: Sided = Field(
        "two", description="two moves every component both ways and errs by O(ε²), one only up and errs by O(ε)"
    )
    sample: int = Field(SAMPLE, ge=1, le=10_000, description="components checked of a network that has more")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="of the choice of examples and components")


class ComponentCheck(BaseModel):
    """One component of θ, with both its derivatives."""

    model_config = ConfigDict(frozen=True)
    tensor: str
    index: tuple[int, ...]
    analytic: float = Field(description="from backpropagation")
    numeric: float = Field(description="from finite differences")
    kink: bool = Field(
        description="a unit crossed the kink of its activation (or a weight that of |W|) between the sides"
    )


class TensorCheck(BaseModel):
    """One parameter tensor."""

    model_config = ConfigDict(frozen=True)
    name: str
    size: int
    checked: int
    difference: float
    verdict: Verdict
    within_round_off: bool = Field(
        description="the disagreement is no larger than what rounding J does to a finite difference, "
        "4·2⁻⁵²·max(|J|, 1)/ε a component: the gradient is too small to be told from 0, and the verdict is great"
    )
    kinks: int
    worst: ComponentCheck


class GradientReport(BaseModel):
    """The verdict on a network's gradients, overall and per tensor."""

    model_config = ConfigDict(frozen=True)
    at: Literal["start", "end"] | int = Field(description="the moment of the run: start, end, or after an epoch")
    difference: float
    verdict: Verdict = Field(description="≤ 1e-7 great, ≤ 1e-5 okay, ≤ 1e-3 suspect, above wrong")
    difference_without_kinks: float = Field(description="the same without the components at a kink")
    kinks: int
    checked: int
    parameters: int
    epsilon: float
    sided: Sided
    seed: int
    examples: int
    cost: float
    conditions: str
    tensors: tuple[TensorCheck, ...]
    worst: tuple[ComponentCheck, ...] = Field(description="the components that disagree most, over all tensors")


class FiniteDifferences:
    """J as a function of single components of θ, on one batch."""

    def __init__(self, network: Network, parameters: Parameters, X: Array, workspace: Workspace) -> None:
        self.network, self.parameters, self.X, self.workspace = network, parameters, X, workspace
        self.run = Pass(Mode.CHECK)
        self.sides = [c.live for layer, c in zip(network.layers, workspace.layers, strict=True) if layer.kinked]

    def cost(self) -> float:
        return self.network.cost(self.X, self.workspace.Y, self.parameters, self.workspace, self.run)

    def at(self, index: int, epsilon: float, sided: Sided) -> tuple[float, bool]:
        """∂J/∂θ[index], and whether a kink lies between the two points it was taken from."""
        theta, value = self.parameters.theta, self.parameters.theta[index]
        theta[index] = value + epsilon
        above = self.cost()
        pattern = [side.copy() for side in self.sides]
        theta[index] = value - epsilon if sided == "two" else value
        below = self.cost()
        kink = any(np.any(before != after) for before, after in zip(pattern, self.sides, strict=True))
        theta[index] = value
        is_weight = index < self.parameters.layout.weights
        if self.network.regularization.l1 and is_weight and abs(value) <= epsilon:
            kink = True
        return (above - below) / (2 * epsilon if sided == "two" else epsilon), kink


def check_gradients(
    network: Network,
    parameters: Parameters,
    examples: Examples,
    *,
    at: Literal["start", "end"] | int = "start",
    epsilon: float = EPSILON,
    sided: Sided = "two",
    sample: int = SAMPLE,
    seed: int = 0,
    breathe: Callable[[], None] | None = None,
) -> GradientReport:
    """Check the network's gradient at these parameters, on a seeded batch of the examples (in float64).

    A network with more than `sample` components is sampled, every tensor being represented. `breathe` is called
    before every component; what it raises ends the check. Raises Diverged where the cost itself is not finite.
    """
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.permutation(len(examples))[:EXAMPLES])
    parameters = parameters.astype(np.float64)
    workspace = network.workspace(len(rows), np.float64)
    X = examples.picked(rows, np.float64).load(slice(None), workspace)
    differences = FiniteDifferences(network, parameters, X, workspace)
    cost = differences.cost()
    if not np.isfinite(cost):
        raise Diverged(at if isinstance(at, int) else 0, 0)
    gradient = network.gradient(np.float64)
    network.backward(workspace.Y, parameters, gradient, workspace)
    return compare(
        gradient.vector,
        differences,
        at=at,
        epsilon=epsilon,
        sided=sided,
        sample=sample,
        seed=seed,
        cost=cost,
        breathe=breathe,
    )


def compare(
    analytic: Array,
    differences: FiniteDifferences,
    *,
    at: Literal["start", "end"] | int,
    epsilon: float,
    sided: Sided,
    sample: int,
    seed: int,
    cost: float,
    breathe: Callable[[], None] | None = None,
) -> GradientReport:
    """Hold any gradient vector, right or wrong, against finite differences."""
    layout = differences.parameters.layout
    generator = np.random.default_rng([seed, 1])
    round_off = 4 * np.finfo(np.float64).eps * max(abs(cost), 1.0) / epsilon
    tensors, components = [], []
    for place in layout.places:
        wanted = place.size
        if layout.size > sample:
            wanted = min(place.size, max(AT_LEAST, round(sample * place.size / layout.size)))
        picked = np.sort(generator.permutation(place.size)[:wanted])
        found = []
        for index in picked:
            if breathe is not None:
                breathe()
            numeric, kink = differences.at(place.offset + int(index), epsilon, sided)
            position = tuple(int(i) for i in np.unravel_index(index, place.shape))
            found.append(
                ComponentCheck(
                    tensor=place.name,
                    index=position,
                    analytic=float(analytic[place.offset + index]),
                    numeric=numeric,
                    kink=kink,
                )
            )
        difference, explained = relative_difference(found, round_off)
        tensors.append(
            TensorCheck(
                name=place.name,
                size=place.size,
                checked=len(found),
                difference=difference,
                verdict="great" if explained else verdict(difference),
                within_round_off=explained,
                kinks=sum(component.kink for component in found),
                worst=max(found, key=disagreement),
            )
        )
        components += found
    difference, explained = relative_difference(components, round_off)
    smooth, _ = relative_difference([component for component in components if not component.kink], round_off)
    return GradientReport(
        at=at,
        difference=difference,
        verdict="great" if explained else verdict(difference),
        difference_without_kinks=smooth,
        kinks=sum(component.kink for component in components),
        checked=len(components),
        parameters=layout.size,
        epsilon=epsilon,
        sided=sided,
        seed=seed,
        examples=differences.workspace.m,
        cost=cost,
        conditions="float64; dropout off; penalties included; batch norm on the batch's own statistics",
        tensors=tuple(tensors),
        worst=tuple(sorted(components, key=disagreement, reverse=True)[:5]),
    )


def relative_difference(components: list[ComponentCheck], round_off: float) -> tuple[float, bool]:
    """‖approx − exact‖/(‖approx‖ + ‖exact‖), and whether rounding alone explains it."""
    exact = np.array([component.analytic for component in components])
    approx = np.array([component.numeric for component in components])
    distance = float(np.linalg.norm(approx - exact))
    scale = float(np.linalg.norm(approx) + np.linalg.norm(exact))
    return (distance / scale if scale else 0.0), distance <= round_off * np.sqrt(len(components))


def disagreement(component: ComponentCheck) -> float:
    return abs(component.analytic - component.numeric)


def verdict(difference: float) -> Verdict:
    """What a difference means, by the course's thresholds."""
    if difference <= 1e-7:
        return "great"
    if difference <= 1e-5:
        return "okay"
    return "suspect" if difference <= 1e-3 else "wrong"
