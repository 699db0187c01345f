"""What to try next, each step as a changed spec: its merge patch, and the whole of it ready to be submitted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.data.splits import FractionSplit
from engine.layers import Dense, Dropout
from engine.optimizers import Adam, AdamW
from engine.spec import EarlyStopping, JobSpec

Against = Literal["bias", "variance", "illness"]


class NextStep(BaseModel):
    """One way on, as a job ready to be submitted."""

    model_config = ConfigDict(frozen=True)
    against: Against
    title: str
    reason: str
    patch: dict[str, Any] = Field(description="RFC 7396 merge patch that turns the job's spec into the next one")
    spec: dict[str, Any] = Field(description="the patched spec, ready to be sent to POST /v1/jobs")


def step(
    spec: JobSpec, against: Literal["bias", "variance", "illness"], title: str, reason: str, **change: Any
) -> NextStep:
    """A step from a changed copy of the spec: top-level fields replaced, the patch worked out from both."""
    before = spec.model_dump(mode="json")
    after = JobSpec.model_validate({**before, **change}).model_dump(mode="json")
    return NextStep(against=against, title=title, reason=reason, patch=merge_patch(before, after), spec=after)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The RFC 7396 merge patch that turns `before` into `after`: null removes, arrays are replaced whole."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        if isinstance(value, Mapping) and isinstance(before.get(name), Mapping):
            if inner := merge_patch(before[name], value):
                patch[name] = inner
        elif name not in before or before[name] != value:
            patch[name] = value
    return patch


def against_bias(spec: JobSpec, result: Mapping[str, Any]) -> Iterator[NextStep]:
    """Bigger, longer, better driven, less held back."""
    yield step(
        spec,
        "bias",
        "a bigger network",
        "more units can follow the training set more closely",
        layers=widened(spec, 2.0),
    )
    training = spec.training.model_copy(update={"epochs": min(2 * spec.training.epochs, 100_000)})
    cut = result.get("stop_reason") == "early_stopping"
    if not cut and training.epochs > spec.training.epochs:
        yield step(
            spec,
            "bias",
            "train longer",
            "the run ended before its cost stood still",
            training=training.model_dump(mode="json"),
        )
    if not isinstance(spec.optimizer, Adam | AdamW):
        yield step(
            spec,
            "bias",
            "another optimizer",
            f"adam usually gets further in the same epochs than {spec.optimizer.type}",
            optimizer=Adam().model_dump(mode="json"),
        )
    held_back = spec.regularization.l1 or spec.regularization.l2
    if held_back or any(isinstance(layer, Dropout) for layer in spec.layers):
        gentler = spec.regularization.model_copy(
            update={"l1": spec.regularization.l1 / 3, "l2": spec.regularization.l2 / 3}
        )
        layers = [
            layer.model_copy(update={"keep_prob": (1 + layer.keep_prob) / 2}) if isinstance(layer, Dropout) else layer
            for layer in spec.layers
        ]
        yield step(
            spec,
            "bias",
            "less regularization",
            "penalties and dropout keep the network from fitting the training set",
            regularization=gentler.model_dump(mode="json"),
            layers=[layer.model_dump(mode="json") for layer in layers],
        )


def against_variance(spec: JobSpec) -> Iterator[NextStep]:
    """More data, more regularization, stopping earlier, smaller."""
    split = spec.data.split
    if isinstance(split, FractionSplit) and split.train is not None and split.train < 0.8:
        data = spec.data.model_dump(mode="json")
        data["split"] |= {"train": 0.8, "dev": 0.1, "test": 0.1}
        yield step(
            spec, "variance", "more data", "more examples to train on, from dev and test or collected anew", data=data
        )
    stronger = spec.regularization.model_copy(update={"l2": 3 * spec.regularization.l2 or 0.7})
    yield step(
        spec,
        "variance",
        "more L2",
        "smaller weights make a smoother function",
        regularization=stronger.model_dump(mode="json"),
    )
    dropped = with_dropout(spec)
    if dropped:
        yield step(spec, "variance", "more dropout", "units that may vanish cannot rely on one another", layers=dropped)
    if spec.training.early_stopping is None:
        training = spec.training.model_copy(update={"early_stopping": EarlyStopping()})
        yield step(
            spec,
            "variance",
            "early stopping",
            "the dev cost may rise while the train cost still falls; this mixes fitting with not overfitting",
            training=training.model_dump(mode="json"),
        )
    if any(isinstance(layer, Dense) and layer.units > 1 for layer in spec.layers):
        yield step(spec, "variance", "a simpler network", "fewer units memorize less", layers=widened(spec, 0.5))


def against_illness(spec: JobSpec, warnings: Sequence[Mapping[str, Any]]) -> Iterator[NextStep]:
    """What the warnings ask for before bias and variance mean anything."""
    codes = {warning.get("code") for warning in warnings}
    if codes & {"vanishing_gradients", "saturated_units", "dead_units", "symmetric_units", "exploding_gradients"}:
        if spec.initializer.type not in ("auto", "he"):
            yield step(
                spec,
                "illness",
                "a scaled random initialization",
                "the run warned of signals that vanish, explode, saturate or stay symmetric",
                initializer={"type": "auto"},
            )
        layers = with_batch_norm(spec)
        if layers:
            yield step(
                spec, "illness", "batch norm", "it keeps every layer's inputs in the middle of its range", layers=layers
            )
    if codes & {"plateau", "exploding_gradients"} and not isinstance(spec.optimizer, Adam | AdamW):
        yield step(
            spec,
            "illness",
            "adam",
            "it gives every parameter a step of its own size, whatever the gradient's",
            optimizer=Adam().model_dump(mode="json"),
        )


def widened(spec: JobSpec, factor: float) -> list[dict[str, Any]]:
    """The hidden layers with so many times the units; one of 32 where there is none."""
    layers = [
        layer.model_copy(update={"units": max(1, round(layer.units * factor))}) if isinstance(layer, Dense) else layer
        for layer in spec.layers
    ]
    if not any(isinstance(layer, Dense) for layer in layers):
        return [*(layer.model_dump(mode="json") for layer in layers), {"type": "dense", "units": 32}, {"type": "relu"}]
    return [layer.model_dump(mode="json") for layer in layers]


def with_dropout(spec: JobSpec) -> list[dict[str, Any]]:
    """Dropout behind every hidden activation, or what there is of it made stronger; nothing without hidden layers."""
    layers: list[dict[str, Any]] = []
    present = any(isinstance(layer, Dropout) for layer in spec.layers)
    for layer in spec.layers:
        if isinstance(layer, Dropout):
            layer = layer.model_copy(update={"keep_prob": max(0.3, round(layer.keep_prob - 0.2, 2))})
        layers.append(layer.model_dump(mode="json"))
        if not present and not isinstance(layer, Dense) and layer.type not in ("batch_norm", "linear"):
            layers.append({"type": "dropout", "keep_prob": 0.8})
    return layers if layers != [layer.model_dump(mode="json") for layer in spec.layers] else []


def with_batch_norm(spec: JobSpec) -> list[dict[str, Any]]:
    """Batch norm between every hidden dense layer and its activation; nothing where there is some already."""
    if any(layer.type == "batch_norm" for layer in spec.layers):
        return []
    layers: list[dict[str, Any]] = []
    for layer in spec.layers:
        layers.append(layer.model_dump(mode="json"))
        if isinstance(layer, Dense):
            layers.append({"type": "batch_norm"})
    return layers if len(layers) > len(spec.layers) else []
