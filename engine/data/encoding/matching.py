"""Two preprocessors matched by name: which inputs and classes both have, and whose scales belong to the weights.

A run that goes on from another one has columns of its own, in an order of its own. What the weights of the other one
mean hangs on the columns' names, on the labels of their categories and on the statistics that scaled them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.data.encoding.date_encoder import DateEncoder
from engine.data.encoding.encoders import (
    AnyEncoder,
    NumberEncoder,
    OneHotEncoder,
    OneInput,
    OrdinalEncoder,
    TensorEncoder,
)
from engine.data.encoding.normalizers import AnyNormalizer, Statistics
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.encoding.target_column import TargetColumn, class_text
from engine.data.reading.label_places import label_places
from engine.data.specification import DataSpec
from engine.errors import SpecError

Places = NDArray[np.intp]
NOWHERE = -1


@dataclass(frozen=True)
class Names:
    """Names that both have, that only the new one has, and that only the source had."""

    matched: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @classmethod
    def of(cls, own: Sequence[str], places: Sequence[int], source: Sequence[str]) -> "Names":
        """Own names, the place among the source's of each (-1: none), and the source's names."""
        known = set(places)
        return cls(
            tuple(name for name, place in zip(own, places, strict=True) if place != NOWHERE),
            tuple(name for name, place in zip(own, places, strict=True) if place == NOWHERE),
            tuple(name for place, name in enumerate(source) if place not in known),
        )


@dataclass(frozen=True)
class Matching:
    """Where the source has each input and each output, -1 where it has none, and what they are called."""

    inputs: Places  # (n_in,)
    outputs: Places  # (classes, labels or values,)
    source_outputs: int  # how many classes, labels or values the source has
    features: Names
    labels: Mapping[str, Names]  # of one-hot columns that both have
    classes: Names  # or the targets' names
    scaled: tuple[str, ...]  # features whose scales are the source's
    otherwise: Mapping[str, tuple[str, str]]  # features of the same name that hold something else: here, there


def match(own: Preprocessor, source: Preprocessor) -> Matching:
    """Match inputs by feature and label, outputs by class or by the target's name."""
    there = {encoder.name: encoder for encoder in source.encoders}
    starts = dict(zip(there, np.cumsum([0, *(encoder.width for encoder in source.encoders)]).tolist(), strict=False))
    inputs: list[int] = []
    labels: dict[str, Names] = {}
    found: list[int] = []
    otherwise: dict[str, tuple[str, str]] = {}
    order = {name: place for place, name in enumerate(there)}
    for encoder in own.encoders:
        other = there.get(encoder.name)
        if other is None or not _hold_the_same(encoder, other):
            inputs += [NOWHERE] * encoder.width
            found.append(NOWHERE)
            if other is not None:
                otherwise[encoder.name] = (described(encoder), described(other))
            continue
        found.append(order[encoder.name])
        places = _inputs_of(encoder, other)
        inputs += [place if place == NOWHERE else starts[encoder.name] + place for place in places]
        if isinstance(encoder, OneHotEncoder) and isinstance(other, OneHotEncoder):
            labels[encoder.name] = Names.of(encoder.labels, places_in(other.labels, encoder.labels), other.labels)
    names = [encoder.name for encoder in own.encoders]
    matched = [encoder for encoder, place in zip(own.encoders, found, strict=True) if place != NOWHERE]
    outputs = _outputs_of(own.target, source.target)
    return Matching(
        inputs=np.array(inputs, np.intp),
        outputs=np.array(outputs, np.intp),
        source_outputs=source.n_out,
        features=Names.of(names, found, list(there)),
        labels=labels,
        classes=Names.of(output_names(own.target), outputs, output_names(source.target)),
        scaled=tuple(encoder.name for encoder in matched if encoder.scaled),
        otherwise=otherwise,
    )


def keep_scales(own: Preprocessor, source: Preprocessor) -> Preprocessor:
    """The preprocessor with the source's statistics and fills for every feature that both have.

    Keeping the scales once more changes nothing. SpecError where the two normalize otherwise.
    """
    matching = match(own, source)
    refuse_other_normalizer(own.normalizer, source, matching)
    there = {encoder.name: encoder for encoder in source.encoders}
    matched = set(matching.features.matched)
    encoders = tuple(
        _with_fill_of(there[encoder.name], encoder) if encoder.name in matched else encoder for encoder in own.encoders
    )
    return replace(own, encoders=encoders, statistics=_statistics(own, source, matching.inputs))


def refuse_other_normalizer(own: AnyNormalizer, source: Preprocessor, matching: Matching) -> None:
    """SpecError where features that both have would be scaled otherwise than the source's weights expect."""
    if not matching.scaled or own == source.normalizer:
        return
    names = matching.scaled
    shown = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    raise SpecError(
        "/data/normalize",
        f"the job that is started from normalizes by {source.normalizer.model_dump_json()}, and its weights belong to "
        f"these scales of {shown}; {own.model_dump_json()} makes others: leave data.normalize out, or ask for the same "
        "one; or leave start_from out",
    )


def normalizer_of(spec: DataSpec, source: Preprocessor | None) -> AnyNormalizer:
    """How a spec wants inputs scaled: as the source does, where it does not say."""
    if source is None or "normalize" in spec.model_fields_set:
        return spec.normalize
    return source.normalizer


def places_in(source: Sequence[str], own: Sequence[str]) -> list[int]:
    """Where the source has each label, -1 where it has not; labels are equal as they are in cells."""
    known = label_places(tuple(source))
    return [known.place(label) for label in own]


def output_names(target: TargetColumn) -> list[str]:
    """What each output stands for: a class, or the target, by number where an example has several values."""
    if target.kind == "classes":
        return [class_text(label) for label in target.classes]
    if target.width == 1:
        return [target.name]
    return [f"{target.name}[{place}]" for place in range(target.width)]


def described(encoder: AnyEncoder) -> str:
    """What a column holds, for a message."""
    match encoder:
        case TensorEncoder():
            return f"an array of {'x'.join(map(str, encoder.shape))}"
        case OneHotEncoder():
            return "a category"
        case OrdinalEncoder():
            return f"a category in the order {', '.join(encoder.labels[:5])}"
        case _:
            return f"a {vars(encoder)['type']}"


def _hold_the_same(own: AnyEncoder, source: AnyEncoder) -> bool:
    """Whether an input of the one means what it means to the other."""
    if isinstance(own, TensorEncoder) and isinstance(source, TensorEncoder):
        return own.shape == source.shape
    if isinstance(own, OrdinalEncoder) and isinstance(source, OrdinalEncoder):  # each label has to be as far along
        shared = min(len(own.labels), len(source.labels))
        return own.labels[:shared] == source.labels[:shared]
    return type(own) is type(source)


def _inputs_of(own: AnyEncoder, source: AnyEncoder) -> list[int]:
    """Where the source's encoder has each input of this one."""
    if isinstance(own, TensorEncoder):
        return list(range(own.width))
    if not isinstance(own, OneHotEncoder) or not isinstance(source, OneHotEncoder):
        return places_in(source.names(), own.names())
    behind, there = own.names()[len(own.labels) :], source.names()[len(source.labels) :]
    beyond = [place if place == NOWHERE else len(source.labels) + place for place in places_in(there, behind)]
    return places_in(source.labels, own.labels) + beyond


def _outputs_of(own: TargetColumn, source: TargetColumn) -> list[int]:
    """Classes by label, whatever the column is called; values by the target's name, if there are as many of them."""
    names = output_names(own)
    if own.kind != source.kind or (own.kind != "classes" and own.width != source.width):
        return [NOWHERE] * len(names)
    return places_in(output_names(source), names)


def _with_fill_of(source: AnyEncoder, own: AnyEncoder) -> AnyEncoder:
    """The encoder with the source's stand-in for missing values and for unseen labels, and the range of both.

    A label that is not known here stands in for none; shares are the source's unless more is known here.
    """
    if isinstance(own, NumberEncoder) and isinstance(source, NumberEncoder):
        return own.model_copy(update={"fill_with": source.fill_with, **_range_of(own, source)})
    if isinstance(own, DateEncoder) and isinstance(source, DateEncoder):
        shares = {name: _shares(getattr(own, name), getattr(source, name)) for name in ("months", "weekdays")}
        return own.model_copy(update={"fill_with": source.fill_with, **_range_of(own, source), **shares})
    if isinstance(own, OneHotEncoder) and isinstance(source, OneHotEncoder):
        changes: dict[str, object] = {}
        if (place := places_in(own.labels, [source.labels[int(source.fill_with)]])[0]) != NOWHERE:
            changes["fill_with"] = float(place)
        places = places_in(source.labels, own.labels)
        if sorted(places) == list(range(len(source.labels))):
            changes["shares"] = tuple(source.shares[place] for place in places)
        return own.model_copy(update=changes)
    if isinstance(own, OneInput) and isinstance(source, OneInput):
        return own.model_copy(update={"fill_with": source.fill_with})
    return own


def _range_of(*encoders: NumberEncoder | DateEncoder) -> dict[str, float]:
    """From the least to the greatest of what the training rows of both held."""
    known = [(one.low, one.high) for one in encoders if one.low is not None and one.high is not None]
    return {"low": min(low for low, _ in known), "high": max(high for _, high in known)} if known else {}


def _shares(own: tuple[float, ...], source: tuple[float, ...]) -> tuple[float, ...]:
    """The source's share of each month or weekday; of both where rows here have some that the source never met."""
    if len(own) != len(source) or not any(here > 0 == there for here, there in zip(own, source, strict=True)):
        return source if len(own) == len(source) else own
    return tuple((here + there) / 2 for here, there in zip(own, source, strict=True))


def _statistics(own: Preprocessor, source: Preprocessor, inputs: Places) -> Statistics:
    """The statistics, those of the source where it has the input."""
    order = {place: number for number, place in enumerate(source.scaled_places.tolist())}
    wanted = [order.get(place, NOWHERE) for place in inputs[own.scaled_places].tolist()]
    here = [number for number, place in enumerate(wanted) if place != NOWHERE]
    there = [place for place in wanted if place != NOWHERE]
    merged = {name: array.copy() for name, array in own.statistics.items()}
    if here:
        for name, array in merged.items():
            array[here] = source.statistics[name][there]
    return merged
