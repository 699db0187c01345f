"""Everything that a job would be refused for, named at once: `check` and the learning raise only the first of it.

Whoever is refused mends all of it before the next try; so each column is asked by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pydantic import JsonValue

from engine.data.augmentation.augmenter import augmented_column
from engine.data.column_types import TextType
from engine.data.dataset import Dataset
from engine.data.encoding.encoder_learning import learn_encoders
from engine.data.encoding.suitability import check_features
from engine.data.preparation import (
    check_answers,
    check_other,
    check_reference,
    divided,
    feature_names,
    learned_target,
    target_kind,
)
from engine.data.reading.cell_values import is_date
from engine.data.reading.unreadable import UnreadableCells
from engine.data.specification import DataSpec, dataset_references
from engine.data.table import Table
from engine.errors import SpecError
from engine.json_pointer import pointer, tokens_of

MOST = 20  # named in one refusal
LOOKED_AT = 1 << 24  # values of a table: so many are looked through in a moment


class SpecErrors(SpecError):
    """Several fields of the spec are well formed but cannot be meant, given the data or other fields."""

    def __init__(self, faults: Sequence[SpecError]) -> None:
        listed = "; ".join(f"({number}) {fault.detail.removesuffix('.')}" for number, fault in enumerate(faults, 1))
        super().__init__(faults[0].pointer, f"{len(faults)} things are wrong: {listed}")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Refusal:
    """One fault of a spec or of the data, the columns it is about, and what of a job would settle it."""

    fault: SpecError
    columns: tuple[str, ...] = ()
    settle: JsonValue = None  # a merge patch of the job; null where only other data would do
    feature: str | None = None  # as data.features lists it, where the fault is there


def refusals(
    spec: DataSpec, datasets: Mapping[str, Dataset], *, loss: str = "auto", rows: int | None = None
) -> list[Refusal]:
    """All that `check` and learning on the training rows refuse; of a large table, looking at so many of its rows."""
    found: list[Refusal] = []
    for refusal in map(partial(_as_listed, spec), _refusals(spec, datasets, loss, rows)):
        if refusal.fault.detail not in {known.fault.detail for known in found}:
            found.append(refusal)
        if len(found) == MOST:
            break
    return found


def all_of(found: Sequence[Refusal], first: Exception) -> Exception:
    """The refusals as one error; the first that was met where asking again finds none."""
    faults = [refusal.fault for refusal in found]
    return SpecErrors(faults) if len(faults) > 1 else faults[0] if faults else first


def rows_looked_at(table: Table) -> int:
    """Rows of a table that are looked through in a moment."""
    scalars = sum(shape == () for shape in table.shapes.values())
    return max(2, LOOKED_AT // scalars) if scalars else 2


def _refusals(spec: DataSpec, datasets: Mapping[str, Dataset], loss: str, rows: int | None) -> Iterator[Refusal]:
    unknown = [
        fault for at, name in dataset_references(spec) if (fault := _caught(check_reference, at, name, datasets))
    ]
    yield from map(Refusal, unknown)
    if unknown:
        return
    training = datasets[spec.train].training
    while (fault := _caught(feature_names, spec, training)) is not None:
        yield Refusal(fault, _column_at(fault.pointer, training), feature=_feature_at(fault.pointer, spec))
        if (rest := _without(spec, fault.pointer)) is None:
            return
        spec = rest
    features = feature_names(spec, training)
    refused: set[str] = set()
    for name in features:
        if fault := _caught(check_features, spec, training, [name]):
            refused.add(name)
            yield Refusal(fault, (name,), _settling(name, training), feature=name)
    if fault := _caught(augmented_column, spec.augment, training.select(features).shapes):
        yield Refusal(fault)
    for at, reference in dataset_references(spec)[1:]:
        other = datasets[reference].training
        for name in (*features, spec.target):
            if fault := _caught(check_other, spec, training, other, name, at, reference):
                yield Refusal(fault, (name,))
    parts: dict[str, Table] = {}
    try:
        learned_target(spec, training, target_kind(spec, training, loss), loss)
        kind, parts = divided(spec, datasets, loss)
        check_answers(learned_target(spec, parts["train"], kind, loss), parts)
    except SpecError as error:
        yield Refusal(error, (spec.target,) if error.pointer == "/data/target" else ())
    except UnreadableCells as error:
        yield Refusal(_of_cells(error), (error.column,), _numbers_only(error.column))
    names = [name for name in features if name not in refused]
    if not names:
        return
    looked_at = parts.get("train", training).select(names)
    some = (looked_at if rows is None else looked_at.take(slice(0, rows))).read()
    if _caught(learn_encoders, some, spec.columns):  # together first: most tables are fine
        for name in names:
            if fault := _caught(learn_encoders, some.select([name]), spec.columns):
                yield Refusal(fault, (name,), _settling(name, training))


def _caught(check: Callable[..., object], *arguments: object) -> SpecError | None:
    """What a check refuses."""
    try:
        check(*arguments)
    except SpecError as error:
        return error
    except UnreadableCells as error:
        return _of_cells(error)
    return None


def _of_cells(error: UnreadableCells) -> SpecError:
    return SpecError(pointer(["data", "columns", error.column]), str(error))


def _as_listed(spec: DataSpec, refusal: Refusal) -> Refusal:
    """The refusal with its pointer into the features as they were listed: of those that are gone it counts none."""
    fault = refusal.fault
    match tokens_of(fault.pointer):
        case ["data", "features", _] if refusal.feature and spec.features:
            place = pointer(["data", "features", spec.features.index(refusal.feature)])
            return replace(refusal, fault=SpecError(place, fault.detail))
        case _:
            return refusal


def _feature_at(where: str, spec: DataSpec) -> str | None:
    """The listed feature that a pointer means."""
    match tokens_of(where):
        case ["data", "features", place] if place.isdecimal() and spec.features:
            return spec.features[int(place)]
        case _:
            return None


def _column_at(where: str, table: Table) -> tuple[str, ...]:
    """The column that a pointer names, if it names one that is there."""
    match tokens_of(where):
        case ["data", "columns", name, *_] if name in table.columns:
            return (name,)
        case _:
            return ()


def _without(spec: DataSpec, where: str) -> DataSpec | None:
    """The spec without what it says at a pointer, to see what else is wrong; None where it needs that."""
    match tokens_of(where):
        case ["data", "features", place] if place.isdecimal() and spec.features and len(spec.features) > 1:
            kept = tuple(name for number, name in enumerate(spec.features) if number != int(place))
            return spec.model_copy(update={"features": kept})
        case ["data", "columns", name, *_] if name in spec.columns:
            return spec.model_copy(update={"columns": {n: o for n, o in spec.columns.items() if n != name}})
        case _:
            return None


def _settling(name: str, table: Table) -> JsonValue:
    """A patch of the job that reads a column as what most of it is, or leaves it out."""
    held = table.types[name]
    if isinstance(held, TextType) and held.holds == "mixed":
        return _numbers_only(name)
    if isinstance(held, TextType) and held.holds == "dates":
        option: dict[str, JsonValue] = {"type": "date"}
        if not all(map(is_date, held.labels or ())):
            option["unreadable"] = "missing"
        return {"data": {"columns": {name: option}}}
    return {"data": {"columns": {name: {"type": "ignore"}}}}


def _numbers_only(name: str) -> JsonValue:
    return {"data": {"columns": {name: {"type": "number", "unreadable": "missing"}}}}
