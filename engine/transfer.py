"""Transfer learning: a run begins with what another one has learned, matched by name.

Rows of the first weights belong to inputs, columns of the last ones to classes; both are matched by the names of
features, labels and classes. What lies between is matched by the tensors' names and shapes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.checkpoint import Checkpoint
from engine.data.encoding.column_encoder import ColumnEncoder
from engine.data.encoding.matching import (
    NOWHERE,
    Matching,
    Names,
    Places,
    keep_scales,
    match,
    normalizer_of,
    refuse_other_normalizer,
)
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.specification import DataSpec
from engine.errors import SpecError
from engine.events import MatchedNames, Transferred
from engine.model import load
from engine.parameters import Parameters, Shape

Tensor: TypeAlias = NDArray[np.generic]
Tensors: TypeAlias = Mapping[str, Tensor]
Axis = Literal["inputs", "units", "outputs", "one"]

LISTED = 100  # names of a kind in an event


@dataclass(frozen=True)
class Source:
    """What another run has learned: its parameters by name, and what made the inputs that they belong to."""

    preprocessor: Preprocessor
    parameters: Tensors

    @classmethod
    def of_model(cls, path: str | Path) -> "Source":
        """What `Model.save` wrote; DataError for a file that is not such a model."""
        model = load(path)
        return cls(model.preprocessor, model.parameters.named())

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, *, best: bool = False) -> "Source":
        """The parameters at the checkpoint, or the best before it, where it has them."""
        parameters = checkpoint.best if best and checkpoint.best is not None else checkpoint.parameters
        return cls(checkpoint.preprocessor, parameters)


def transfer(source: Source, preprocessor: Preprocessor, parameters: Parameters) -> Transferred:
    """Overwrite drawn parameters with the source's wherever both mean the same, and say what was done.

    The preprocessor is that of the run that begins, and has kept the source's scales. What belongs to a dense layer,
    such as its bias and the batch norm behind it, comes along only with some of its weights. SpecError where nothing
    fits, or the scales are not the source's.
    """
    refuse_other_scales(preprocessor, source.preprocessor)
    matching = match(preprocessor, source.preprocessor)
    own, given = parameters.named(), source.parameters
    found = _shared(own, given, matching)
    for name, known in found.items():
        own[name][known.where] = known.values[known.where]
    whole = {name for name, known in found.items() if known.where.all()}
    return Transferred(
        taken=tuple(name for name in own if name in whole),
        partly=tuple(name for name in own if name in found and name not in whole),
        drawn=tuple(name for name in own if name not in found),
        unused=tuple(name for name in given if name not in found),
        features=_listed(matching.features),
        labels={name: _listed(names) for name, names in matching.labels.items() if names.drawn or names.unused},
        classes=_listed(matching.classes),
        scales=matching.scaled[:LISTED],
        message=_message(matching, [name for name in own if name not in found]),
    )


def fit_to(source: Source, spec: DataSpec, preprocessor: Preprocessor, parameters: Parameters) -> DataSpec:
    """The spec with the source's normalizer where it names none; the preprocessor has learned no scales yet.

    SpecError where the spec asks for other scales than those that the source's weights belong to, or nothing fits.
    """
    normalizer = normalizer_of(spec, source.preprocessor)
    matching = match(preprocessor, source.preprocessor)
    refuse_other_normalizer(normalizer, source.preprocessor, matching)
    _shared(parameters.named(), source.parameters, matching)
    return spec.model_copy(update={"normalize": normalizer})


def _shared(own: Tensors, given: Tensors, matching: Matching) -> dict[str, "Known"]:
    """What the source has of this network's tensors; SpecError where that is nothing."""
    last, source_last = _last(own), _last(given)
    found: dict[str, Known] = {}
    for name, array in own.items():  # weights come first
        axes = _axes(name, last)
        if name in given and axes == _axes(name, source_last) and _is_led(name, own, found):
            known = _known(array.shape, given[name], axes, matching)
            if known is not None and known.where.any():
                found[name] = known
    for name in [name for name in found if _is_average(name) and re.sub("^[a-z]+", "gamma", name) not in found]:
        del found[name]  # useless without their layer's γ and β
    if not found:
        raise SpecError(
            "/start_from", f"no tensor there fits: this network needs {_shapes(own)}, there is {_shapes(given)}"
        )
    return found


def refuse_other_scales(own: Preprocessor, source: Preprocessor) -> None:
    """SpecError unless the preprocessor has kept the source's scales."""
    kept = keep_scales(own, source)
    same = all(np.array_equal(array, own.statistics[name]) for name, array in kept.statistics.items())
    fills = [
        (one.fill_with, another.fill_with)
        for one, another in zip(own.encoders, kept.encoders, strict=True)
        if isinstance(one, ColumnEncoder) and isinstance(another, ColumnEncoder)
    ]
    if not same or any(one != another for one, another in fills):
        raise SpecError(
            "/start_from",
            "the data are not scaled as its weights expect; prepare them with the source's scales",
        )


class Known(NamedTuple):
    """What the source has of a tensor: values, and where they count."""

    values: NDArray[np.float64]
    where: NDArray[np.bool_]


def _known(shape: Shape, given: Tensor, axes: tuple[Axis, ...], matching: Matching) -> Known | None:
    """The source's tensor in this network's order of inputs and outputs; None where other units are behind it."""
    if given.ndim != len(shape):
        return None
    values = given.astype(np.float64)
    places: list[Places] = []
    for number, (axis, extent) in enumerate(zip(axes, shape, strict=True)):
        if axis == "inputs":
            places.append(matching.inputs)
        elif axis == "outputs":
            values = _by_class(values, matching)
            if extent == len(matching.outputs):
                places.append(matching.outputs)
            else:  # one unit, the log-odds of the second of two classes
                values, place = _log_odds(values, matching)
                places.append(place)
        elif extent != given.shape[number]:
            return None
        else:
            places.append(np.arange(extent))
    where = np.ones(shape, bool)
    for number, place in enumerate(places):
        where &= (place >= 0).reshape([-1 if axis == number else 1 for axis in range(len(shape))])
    return Known(values[np.ix_(*(np.maximum(place, 0) for place in places))], where)


def _by_class(values: NDArray[np.float64], matching: Matching) -> NDArray[np.float64]:
    """A column a class: of one unit z, the log-odds of the second of two, they are −z/2 and z/2."""
    alone = values.shape[-1] == 1 and matching.source_outputs == 2
    return np.concatenate([-values / 2, values / 2], axis=-1) if alone else values


def _log_odds(values: NDArray[np.float64], matching: Matching) -> tuple[NDArray[np.float64], Places]:
    """One unit from the columns of its two classes; without either, there is none."""
    first, second = matching.outputs.tolist()
    if NOWHERE in (first, second):
        return values, np.array([NOWHERE])
    return values[..., [second]] - values[..., [first]], np.array([0])


def _axes(name: str, last: int) -> tuple[Axis, ...]:
    """What the extents of a tensor stand for, in a network with so many dense layers."""
    letter, number = _parts(name)
    if letter == "W":
        return ("inputs" if number == 1 else "units", "outputs" if number == last else "units")
    if letter == "batches":
        return ("one",)
    return ("inputs" if number == 0 else "outputs" if number == last else "units",)


def _is_led(name: str, own: Tensors, found: Mapping[str, Known]) -> bool:
    """Whether the dense layer that a tensor belongs to brings weights; those before the first belong to none."""
    letter, number = _parts(name)
    return letter == "W" or f"W{number}" not in own or f"W{number}" in found


def _is_average(name: str) -> bool:
    return _parts(name)[0] in ("mean", "variance", "batches")


def _last(tensors: Tensors) -> int:
    """The number of the last dense layer."""
    return max((number for letter, number in map(_parts, tensors) if letter == "W"), default=0)


def _parts(name: str) -> tuple[str, int]:
    found = re.match(r"([A-Za-z]+)(\d+)", name)
    return (found[1], int(found[2])) if found else (name, 0)


def _shapes(arrays: Tensors) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in arrays.items())


def _listed(names: Names) -> MatchedNames:
    """Names for an event: how many there are, and the first hundred of each kind."""
    return MatchedNames(
        matched=names.matched[:LISTED],
        drawn=names.drawn[:LISTED],
        unused=names.unused[:LISTED],
        counts={"matched": len(names.matched), "drawn": len(names.drawn), "unused": len(names.unused)},
    )


def _message(matching: Matching, drawn: Sequence[str]) -> str:
    """What was matched, what is drawn, and what of the source is left out, in a sentence."""
    features, classes = matching.features, matching.classes
    said = [
        f"{len(features.matched)} of {len(features.matched) + len(features.drawn)} features are those of the source"
    ]
    new = [f"feature {name!r}" for name in features.drawn if name not in matching.otherwise]
    new += [f"{name!r}, {here} here and {there} there," for name, (here, there) in matching.otherwise.items()]
    old = [f"feature {name!r}" for name in features.unused if name not in matching.otherwise]
    for name, labels in matching.labels.items():
        new += [f"{name} = {label!r}" for label in labels.drawn]
        old += [f"{name} = {label!r}" for label in labels.unused]
    new += [f"output {name!r}" for name in classes.drawn]
    old += [f"output {name!r}" for name in classes.unused]
    if matching.scaled:
        said.append(f"the scales of {_some([repr(name) for name in matching.scaled])} are the source's")
    if new or drawn:
        said.append(f"drawn anew: {_some([*new, *drawn])}")
    if old:
        said.append(f"without a counterpart here: {_some(old)}")
    return f"{'; '.join(said)}."


def _some(things: Sequence[str], most: int = 8) -> str:
    return ", ".join(things[:most]) + (f" and {len(things) - most} more" if len(things) > most else "")
