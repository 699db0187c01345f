"""Whatever spec is valid: it builds, its gradients are right, it survives JSON, it trains or says that it diverged.

Specs are drawn from the families' unions and their fields' own bounds, so that a newcomer is drawn on arrival.
"""

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from engine import Diverged, GradientsChecked, JobSpec
from engine.component import Component
from engine.initializers import AnyInitializer
from engine.layers import AnyLayer
from engine.losses import AnyLoss
from engine.network import Network
from engine.optimizers import AnyOptimizer
from engine.regularization import Regularization
from engine.schedules import AnySchedule
from tests.engine.families import NEEDED, members, type_of
from tests.engine.jobs import KINDS, events_of, finished, prepared, rows_of, toy

TRAIN = 24  # divides by every batch size below with no single example left over, which batch norm refuses
FITTING = {
    "two classes": {"auto", "sigmoid_cross_entropy", "softmax_cross_entropy"},
    "three classes": {"auto", "softmax_cross_entropy"},
    "labels": {"auto", "sigmoid_cross_entropy"},
    "value": {"auto", "mean_squared_error"},
    "values": {"auto", "mean_squared_error"},
}


def numbers(field: FieldInfo) -> st.SearchStrategy[float]:
    """Within the bounds, and within a factor of ten of the default: what someone may well ask for."""
    low: Any
    high: Any
    low, high, default = -np.inf, np.inf, float(field.default)
    for bound in field.metadata:
        low = bound.ge if isinstance(bound, Ge) else bound.gt if isinstance(bound, Gt) else low
        high = bound.le if isinstance(bound, Le) else below(bound.lt) if isinstance(bound, Lt) else high
    if default == 0:
        return st.just(0.0) | st.floats(1e-3, min(high, 1.0))
    return st.floats(max(low, default / 10), min(high, default * 10))


def below(limit: Any) -> float:
    return float(limit) * 0.99


def values(field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values of a field by its type; a field of another kind keeps its default."""
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind):
        return st.none()
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is float:
        return numbers(field)
    if kind is int:
        return st.integers(max(int(field.default), 1), int(field.default) + 3)
    return st.just(field.default)


@st.composite
def components(draw: st.DrawFn, member: type[Component]) -> dict[str, Any]:
    fields = {
        name: draw(values(field))
        for name, field in member.model_fields.items()
        if name != "type" and not field.is_required()
    }
    return {"type": type_of(member)} | fields | NEEDED.get(type_of(member), {})


def any_of(union: Any, *only: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of([components(m) for m in members(union) if not only or type_of(m) in only])


@st.composite
def jobs(draw: st.DrawFn) -> tuple[str, JobSpec]:
    """A kind of target, and a valid spec for it."""
    kind = draw(st.sampled_from(KINDS))
    loss = draw(any_of(AnyLoss, *FITTING[kind]))
    if kind.endswith("classes") and "class_weights" in loss:
        loss["class_weights"] = draw(st.sampled_from([None, "balanced", {"0": 0.5, "1": 2.0}]))
    stopping = draw(st.none() | st.just({"metric": "dev_cost", "patience": 1}))
    document = {
        "data": {"train": "toy", "target": "label"},
        "layers": draw(st.lists(any_of(AnyLayer), max_size=5)),
        "initializer": draw(any_of(AnyInitializer)),
        "loss": loss,
        "regularization": draw(components_without_type(Regularization)),
        "optimizer": draw(any_of(AnyOptimizer)),
        "schedule": draw(any_of(AnySchedule)),
        "training": {
            "epochs": 2,
            "batch_size": draw(st.sampled_from([2, 3, 4, 5, 8, 12, "full"])),
            "shuffle": draw(st.booleans()),
            "clip_norm": draw(st.none() | st.floats(1e-3, 10)),
            "clip_value": draw(st.none() | st.floats(1e-3, 10)),
            "early_stopping": stopping,
            "keep": draw(st.sampled_from([None, "best", "last"])),
        },
        "precision": draw(st.sampled_from(["float32", "float64"])),
        "seed": draw(st.integers(0, 2**63 - 1)),
    }
    return kind, JobSpec.model_validate(document)


@st.composite
def components_without_type(draw: st.DrawFn, member: type[Component]) -> dict[str, Any]:
    return {name: draw(values(field)) for name, field in member.model_fields.items()}


def given_parameters(network: Network, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {place.name: generator.standard_normal(place.shape) * 0.5 for place in network.layout.places}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(jobs())
def test_any_valid_spec_survives_json_checks_its_gradients_and_trains(job: tuple[str, JobSpec]) -> None:
    kind, spec = job
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    dataset = toy(kind, m=TRAIN)
    network, _ = prepared(spec, dataset)
    parameters = given_parameters(network, spec.seed)
    try:
        events = events_of(spec, dataset, given=parameters)
    except Diverged:
        return
    report = next(event.report for event in events if isinstance(event, GradientsChecked))
    explained = all(tensor.within_round_off or tensor.difference <= 1e-5 for tensor in report.tensors)
    passed = report.verdict in ("great", "okay")
    assert passed or explained or report.difference_without_kinks <= 1e-5, report
    assert all(np.isfinite(list(row.values())).all() for row in rows_of(events))
    model = finished(events).model
    assert np.isfinite(model.parameters.theta).all()
    assert JobSpec.model_validate_json(model.spec.model_dump_json()) == model.spec
