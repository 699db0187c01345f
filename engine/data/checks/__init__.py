"""What may be wrong with data, and with how it is divided, told before a network learns it."""

from collections.abc import Iterator, Mapping, Sequence

from engine.data.checks.class_balance import class_balance
from engine.data.checks.finding import Finding
from engine.data.checks.giveaways import about_giveaways, strongest
from engine.data.checks.idle_columns import about_idle_columns, idle_columns
from engine.data.checks.inputs import inputs_of, sample_rows
from engine.data.checks.mismatch import about_mismatch, mismatches
from engine.data.checks.parts import Parts, as_wanted, divided
from engine.data.checks.refused import about_refusals
from engine.data.checks.repeated_rows import about_repeated_rows, repeated_rows
from engine.data.checks.report import DataReport, SplitReport, by_severity
from engine.data.checks.spellings import about_spellings
from engine.data.checks.target import Answers
from engine.data.checks.target_guess import about_target_guess
from engine.data.column_types import TextType
from engine.data.dataset import Dataset
from engine.data.encoding.column_options import AnyColumnOption
from engine.data.encoding.target_column import TargetKind
from engine.data.preparation import feature_names, target_kind
from engine.data.refusals import Refusal
from engine.data.specification import DataSpec
from engine.data.split_advice import advise
from engine.data.splits import AnySplit, GivenSplit
from engine.errors import SpecError
from engine.events import Event
from engine.spelling import did_you_mean

__all__ = ["DataReport", "Finding", "check_data", "examine", "report_of", "report_without_target"]

ALONE_ROWS = 3000  # on which a column answers alone


def check_data(spec: DataSpec, datasets: Mapping[str, Dataset], *, loss: str = "auto") -> Iterator[Event]:
    """The events of a job's data: the advice on its split, then every finding, the gravest first."""
    yield from report_of(spec, datasets, loss=loss).events()


def report_of(
    spec: DataSpec,
    datasets: Mapping[str, Dataset],
    *,
    loss: str = "auto",
    title: str | None = None,
    refused: Sequence[Refusal] = (),
) -> DataReport:
    """Every check of a job's data, keyed as the spec names it; SpecError where the spec does not fit it.

    What the job is `refused` for is told among the findings; a target that cannot be one is then left out of the rest.
    """
    dataset = datasets[spec.train]
    features = feature_names(spec, dataset.training)
    _refuse_others_without([*features, spec.target], spec.split, datasets, dataset)
    target: str | None = spec.target
    kind: TargetKind = "values"
    try:
        kind = target_kind(spec, dataset.training, loss)
    except SpecError:
        if not refused:
            raise
        target = None
    report = examine(
        dataset,
        spec.split,
        features,
        target=target,
        kind=kind,
        others=datasets,
        options=spec.columns,
        title=title or spec.train,
        loss=loss,
    )
    return report.with_findings(about_refusals(refused, dataset.training, spec.target))


def report_without_target(
    split: AnySplit, datasets: Mapping[str, Dataset], train: str, *, title: str | None = None
) -> DataReport:
    """The checks that need no target, of all columns."""
    dataset = datasets[train]
    for field, name in split.columns.items():
        if name not in dataset.training.columns:
            known = did_you_mean(name, dataset.training.columns)
            raise SpecError(f"/data/split/{field}", f"dataset {train!r} has no column {name!r}. {known}")
    features = [name for name in dataset.training.columns if name not in split.columns.values()]
    _refuse_others_without(features, split, datasets, dataset)
    return examine(dataset, split, features, others=datasets, title=title or train)


def examine(
    dataset: Dataset,
    split: AnySplit,
    features: Sequence[str],
    *,
    target: str | None = None,
    kind: TargetKind = "values",
    others: Mapping[str, Dataset] | None = None,
    options: Mapping[str, AnyColumnOption] | None = None,
    title: str = "the dataset",
    loss: str = "auto",
) -> DataReport:
    """Every check, on bounded samples where a table is large; without a target, those that need none.

    Options are what the spec says of columns: a number that it takes for a category is compared as one. SpecError
    where the split does not fit the dataset.
    """
    table = dataset.training
    options = options or {}
    answers = None if target is None else Answers.of(target, as_wanted(table.select([target]), options), kind)
    learned = [name for name in features if name in options or not isinstance(table.types[name], TextType)]
    strata = target if kind == "classes" else None
    parts = divided(split, dataset, strata, others or {}, title=title, options=options)
    idle = idle_columns(table, learned)
    findings = list(about_idle_columns(idle))
    findings += about_spellings(table, [*features, *([] if target is None else [target])], target, options)
    if target is not None:
        findings += about_target_guess(table, target, kind, loss, options.get(target))
    told = [name for name in learned if name not in (*idle.constant, *idle.row_numbers)]

    classes, alone = None, []
    if answers is not None and answers.by_class:
        classes, found = class_balance(parts, answers)
        findings += found
    if answers is not None and told:
        samples = parts.sample("train", [*told, answers.name], sample_rows(table, told, ALONE_ROWS))
        alone = strongest(inputs_of(samples, told), answers, answers.read(samples))
        findings += about_giveaways(alone, answers, len(told))
    repeated = repeated_rows(parts, told, target) if told else None
    if repeated is not None:
        findings += about_repeated_rows(repeated, parts.sizes)
    unlike = mismatches(parts, told, answers) if told else []
    for pair in unlike:
        findings += about_mismatch(pair)
    return DataReport(
        findings=by_severity(findings),
        split=_split(parts),
        classes=classes,
        strongest=tuple(alone),
        repeated_rows=repeated,
        mismatches=tuple(unlike),
    )


def _refuse_others_without(
    columns: Sequence[str], split: AnySplit, datasets: Mapping[str, Dataset], dataset: Dataset
) -> None:
    named = {"dev": split.dev, "test": split.test} if isinstance(split, GivenSplit) else {}
    for part, name in named.items():
        if name is None:
            continue
        for column in columns:
            if datasets[name].training.shapes.get(column) != dataset.training.shapes[column]:
                shape = dataset.training.shapes[column]
                raise SpecError(
                    f"/data/split/{part}", f"dataset {name!r} has no column {column!r} of shape {shape} to compare"
                )


def _split(parts: Parts) -> SplitReport:
    advice = advise(parts.sizes)
    return SplitReport(
        rows=parts.sizes,
        advised=advice.advised,
        used=advice.used,
        followed=advice.followed,
        reason=advice.reason,
    )
