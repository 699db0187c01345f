"""A run that starts from another one answers as that one did, however columns, labels and classes come now."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    Checkpoint,
    CheckpointMade,
    Dataset,
    JobSpec,
    Model,
    Network,
    Save,
    Source,
    SpecError,
    Table,
    Transferred,
    initial_parameters,
    prepare,
    train,
)
from engine.data.column_types import BooleanType, CategoryType
from engine.events import MatchedNames
from engine.transfer import transfer
from tests.engine.jobs import KINDS, events_of, finished, prepared, rows_of, spec_of, toy
from tests.engine.test_checkpoints import resumed, told

Rows = Sequence[Mapping[str, Any]]
NUMBERS, FLAGS, CITIES, SIZES = ("age", "income", "height"), ("paid",), ("city", "job"), ("S", "M", "L", "XL")


def people(rows: int = 120, seed: int = 0, lacking: bool = False) -> list[dict[str, Any]]:
    """Rows of numbers on different scales, a yes and no, two categories and a size; each label occurs often."""
    r = np.random.default_rng(seed)
    made = [
        {
            "age": float(r.normal(40, 12)),
            "income": float(r.normal(5e4, 1e4)),
            "height": float(r.normal(1.7, 0.1)),
            "paid": bool(r.integers(2)),
            "city": ["bern", "chur", "genf"][row % 3],
            "job": ["cook", "smith"][row // 3 % 2],
            "size": SIZES[row % 3],
            "day": f"{2020 + row % 4}-{1 + row % 12:02}-{1 + row * 7 % 28:02}",
        }
        for row in range(rows)
    ]
    for row in made:
        row["class"] = ["cat", "dog", "fox"][int(row["age"] > 40) + int(row["income"] > 5e4)]
        row["yes"] = "yes" if row["height"] > 1.7 else "no"
        row["value"] = row["age"] / 10 + row["height"]
    if lacking:
        for name in ("age", "city", "paid", "size", "day"):
            for place in r.integers(0, rows, 12).tolist():
                made[place][name] = None
    return made


def table(rows: Rows, columns: Sequence[str], labels: Mapping[str, Sequence[str]] = {}) -> Table:
    """The rows as a dataset holds them: columns in this order, labels stored in an order of their own."""
    held: dict[str, Any] = {}
    types: dict[str, Any] = {}
    for name in columns:
        values = [row[name] for row in rows]
        if any(isinstance(value, str) for value in values):
            known = list(labels.get(name, sorted({value for value in values if value is not None})))
            held[name] = np.array([-1 if value is None else known.index(value) for value in values], np.int32)
            types[name] = CategoryType(labels=tuple(known))
        else:
            held[name] = np.array([np.nan if value is None else float(value) for value in values])
            if any(isinstance(value, bool) for value in values):
                types[name] = BooleanType()
    return Table(held, types)


def spec(target: str, layers: Sequence[object], sized: Sequence[str], **data: Any) -> JobSpec:
    """A job on the rows' columns, in float64."""
    option = {"type": "category", "encoding": "ordinal", "order": SIZES}
    columns = {"size": option, "day": {"type": "date", "parts": ["year", "days", "month"]}} if "size" in sized else {}
    data = {"train": "rows", "target": target, "columns": columns, **data}
    start = {"start_from": {"job": "job_1"}}
    return JobSpec.model_validate({"data": data, "layers": list(layers), "precision": "float64", **start})


def begun(wanted: JobSpec, rows: Table, source: Source | None = None) -> tuple[Model, Transferred]:
    """The model that a job begins with."""
    scales = source.preprocessor if source else None
    data = prepare(
        wanted.data, {"rows": Dataset({"train": rows})}, loss=wanted.loss.type, dtype=wanted.precision, source=scales
    )
    network = Network.of(wanted, data.preprocessor)
    parameters = initial_parameters(network, wanted)
    told = transfer(source, data.preprocessor, parameters) if source else NOTHING
    return Model(wanted, data.preprocessor, parameters, network), told


def learned(target: str, layers: Sequence[object], taken: Sequence[str], rows: Rows, **data: Any) -> Model:
    """A model whose parameters are none that an initializer draws."""
    model, _ = begun(spec(target, layers, taken, **data), table(rows, [*taken, target]))
    r = np.random.default_rng(7)
    for name, array in model.parameters.named().items():
        array[...] = r.uniform(0.5, 1.5, array.shape) if name.startswith("variance") else r.normal(0, 0.7, array.shape)
    return model


def source_of(model: Model) -> Source:
    return Source(model.preprocessor, model.parameters.named())


HIDDEN = [{"type": "dense", "units": 6}, {"type": "tanh"}]
NETWORKS = (
    [],
    HIDDEN,
    [{"type": "batch_norm"}, *HIDDEN],
    [{"type": "dense", "units": 6}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dense", "units": 4}],
)
NOTHING = Transferred((), (), (), (), MatchedNames(), {}, MatchedNames(), (), "")
COLUMNS = (*NUMBERS, *FLAGS, *CITIES, "size", "day")


@settings(deadline=None, max_examples=40)
@given(
    st.permutations(COLUMNS),
    st.permutations(["bern", "chur", "genf"]),
    st.permutations(["cat", "dog", "fox"]),
    st.sampled_from(["class", "yes", "value"]),
    st.sampled_from(NETWORKS),
    st.booleans(),
    st.sampled_from(["standard", "minmax"]),
)
def test_answers_as_its_source_whatever_the_order(columns, cities, classes, target, layers, lacking, normalize):
    rows = people(lacking=lacking)
    model = learned(target, layers, COLUMNS, rows, normalize={"type": normalize})
    others = people(80, seed=1, lacking=lacking)  # other rows, so other means, medians and most frequent labels
    shifted = [{**row, "income": row["income"] * 3} for row in others]
    stored = table(shifted, [*columns, target], {"city": cities, "class": classes})
    again, transferred = begun(spec(target, layers, columns), stored, source_of(model))
    asked = [{name: row[name] for name in COLUMNS} for row in shifted] + [{"city": "wil"}]  # unseen; all else missing
    expected, answers = model.predict(asked), again.predict(asked)
    for old, new in zip(expected, answers, strict=True):
        assert old.keys() >= new.keys() and old.get("unseen") == new.get(
            "unseen"
        )  # more rows were seen: less is outside
        for key in old.keys() & {"probabilities", "value"}:
            assert new[key] == pytest.approx(old[key], rel=1e-9, abs=1e-9)
    assert (transferred.drawn, transferred.partly, transferred.unused) == ((), (), ())
    assert set(transferred.scales) == {*NUMBERS, "size", "day"} and again.preprocessor.normalizer.type == normalize


def test_a_class_of_another_name_is_drawn_and_the_others_keep_their_weights():
    rows = people()
    model = learned("class", HIDDEN, ["age", "income"], rows)
    renamed = [{**row, "class": row["class"].replace("cat", "zebra")} for row in rows]
    again, transferred = begun(spec("class", HIDDEN, []), table(renamed, ["income", "age", "class"]), source_of(model))
    old, new = model.parameters.named(), again.parameters.named()
    np.testing.assert_array_equal(new["W2"][:, :2], old["W2"][:, 1:])  # dog and fox; then zebra, by the alphabet
    assert not np.isin(new["W2"][:, 2], old["W2"]).any() and new["b2"][2] == 0
    assert transferred.classes.matched == ("dog", "fox")
    assert (transferred.classes.drawn, transferred.classes.unused) == (("zebra",), ("cat",))
    assert (transferred.taken, transferred.partly) == (("W1", "b1"), ("W2", "b2"))
    assert (
        "drawn anew: output 'zebra'" in transferred.message and "counterpart here: output 'cat'" in transferred.message
    )


@pytest.mark.parametrize("layers", [[], HIDDEN])
def test_two_classes_become_three_and_three_become_two_with_their_odds(layers):
    """One unit tells two classes apart, three have one each; what the odds of two were, they stay."""
    rows = people(300)
    pair = [row for row in rows if row["class"] != "cat"]
    columns = ["age", "income"]

    def odds(model: Model) -> np.ndarray:
        told = [answer["probabilities"] for answer in model.predict([{c: row[c] for c in columns} for row in rows])]
        return np.array([np.log(one["fox"] / one["dog"]) for one in told])

    for first, then in ((pair, rows), (rows, pair)):
        model = learned("class", layers, columns, first)
        again = begun(spec("class", layers, []), table(then, [*columns, "class"]), source_of(model))[0]
        np.testing.assert_allclose(odds(again), odds(model), rtol=1e-6)


def test_labels_and_features_more_and_less_are_drawn_and_said():
    rows = people()
    model = learned("class", HIDDEN, ["age", "city", "income"], rows)
    cities = {"bern": "wil", "chur": "chur", "genf": "genf"}
    new = [{**row, "city": cities[row["city"]]} for row in rows]
    again, transferred = begun(
        spec("class", HIDDEN, []), table(new, ["height", "city", "age", "class"]), source_of(model)
    )
    assert (transferred.features.matched, transferred.features.drawn) == (("city", "age"), ("height",))
    assert transferred.features.unused == ("income",) and transferred.scales == ("age",)
    labels = transferred.labels["city"]
    assert (labels.matched, labels.drawn, labels.unused) == (("chur", "genf"), ("wil",), ("bern",))
    assert transferred.partly == ("W1",) and transferred.taken == ("W2", "b1", "b2")
    old_row = dict(zip(model.preprocessor.names, model.parameters.named()["W1"], strict=True))
    new_row = dict(zip(again.preprocessor.names, again.parameters.named()["W1"], strict=True))
    for name in ("age", "city = chur", "city = genf"):
        np.testing.assert_array_equal(new_row[name], old_row[name])
    for name in ("height", "city = wil"):
        assert not np.isin(new_row[name], model.parameters.named()["W1"]).any()
    statistics = again.preprocessor.statistics["mean"]  # of height and age: its own, and the source's
    assert statistics[0] == pytest.approx(np.mean([row["height"] for row in new]))
    assert statistics[1] == model.preprocessor.statistics["mean"][0]


def test_a_column_that_holds_something_else_is_no_match():
    rows = people()
    model = learned("class", HIDDEN, ["age", "income"], rows)
    words = [{**row, "income": "high" if row["income"] > 5e4 else "low"} for row in rows]
    _, transferred = begun(spec("class", HIDDEN, []), table(words, ["age", "income", "class"]), source_of(model))
    assert transferred.features.drawn == ("income",) and transferred.scales == ("age",)
    assert "'income', a category here and a number there" in transferred.message


def test_an_order_that_moves_labels_is_no_match_and_a_longer_one_is():
    rows = people()
    ordered = {"size": {"type": "category", "encoding": "ordinal", "order": SIZES}}
    model = learned("class", HIDDEN, ["age", "size"], rows, columns=ordered)
    for order, matched in ((("S", "M", "L", "XL", "XXL"), ("age", "size")), (("XS", "S", "M", "L", "XL"), ("age",))):
        columns = {"size": {"type": "category", "encoding": "ordinal", "order": order}}
        wanted = spec("class", HIDDEN, [], columns=columns)
        _, transferred = begun(wanted, table(rows, ["age", "size", "class"]), source_of(model))
        assert transferred.features.matched == matched


def test_another_normalizer_is_refused_and_the_sources_is_taken_where_none_is_named():
    rows = people()
    model = learned("class", HIDDEN, ["age", "city"], rows, normalize={"type": "minmax"})
    stored = table(rows, ["city", "age", "class"])
    with pytest.raises(SpecError, match=r"minmax.*its weights belong to these scales of 'age'") as refused:
        begun(spec("class", HIDDEN, [], normalize={"type": "standard"}), stored, source_of(model))
    assert refused.value.pointer == "/data/normalize"
    again, _ = begun(spec("class", HIDDEN, []), stored, source_of(model))
    assert again.preprocessor.normalizer == model.preprocessor.normalizer
    others = [{**row, "years": row["age"]} for row in rows]  # nothing that is scaled is shared
    free, transferred = begun(
        spec("class", HIDDEN, [], normalize={"type": "standard"}),
        table(others, ["years", "city", "class"]),
        source_of(model),
    )
    assert transferred.scales == () and free.preprocessor.normalizer.type == "standard"


def test_layers_of_other_widths_are_drawn_with_all_that_belongs_to_them():
    rows = people()
    old = [{"type": "dense", "units": 6}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dense", "units": 4}]
    new = [{"type": "dense", "units": 6}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dense", "units": 5}]
    model = learned("class", old, ["age", "income"], rows)
    _, transferred = begun(spec("class", new, []), table(rows, ["age", "income", "class"]), source_of(model))
    assert set(transferred.taken) == {"W1", "gamma1", "beta1", "mean1", "variance1", "batches1"}
    assert set(transferred.drawn) == {"W2", "b2", "W3", "b3"} == set(transferred.unused)


def test_the_weights_of_classes_are_never_those_of_units():
    """Where the source's output has as many units as a hidden layer here has, they mean other things."""
    rows = people()
    model = learned("class", HIDDEN, ["age", "income"], rows)
    deeper = [*HIDDEN, {"type": "dense", "units": 3}, {"type": "tanh"}]
    _, transferred = begun(spec("class", deeper, []), table(rows, ["age", "income", "class"]), source_of(model))
    assert transferred.taken == ("W1", "b1") and "W2" in transferred.drawn


def test_parts_of_dates_are_matched_one_by_one_and_months_add_up():
    rows = people()
    spring = [{**row, "day": f"2021-0{3 + n % 3}-11"} for n, row in enumerate(rows)]
    summer = [{**row, "day": f"2022-0{5 + n % 3}-11"} for n, row in enumerate(rows)]
    wanted: dict[str, Any] = {"columns": {"day": {"type": "date", "parts": ["month", "days"]}}}
    model = learned("class", HIDDEN, ["day"], spring, **wanted)
    stored = table(summer, ["day", "class"])
    again, transferred = begun(spec("class", HIDDEN, [], **wanted), stored, source_of(model))
    assert transferred.taken == ("W1", "W2", "b1", "b2") and transferred.scales == ("day",)
    days = [{"day": day} for day in ("2021-04-01", "2022-07-01", "2021-10-01")]
    assert [answer.get("unseen") for answer in again.predict(days)] == [None, None, ["day"]]
    assert again.predict(days[:1])[0]["probabilities"] == pytest.approx(model.predict(days[:1])[0]["probabilities"])
    years: dict[str, Any] = {"columns": {"day": {"type": "date", "parts": ["year", "days"]}}}
    _, transferred = begun(spec("class", HIDDEN, [], **years), stored, source_of(model))
    assert transferred.partly == ("W1",)  # the days' row; the year's is drawn


def test_labels_are_matched_as_cells_are():
    """What was 1.0 in one file is 1 in another."""
    rows = [{"floor": ["1.0", "2.0", "roof"][n % 3], "yes": ["no", "yes"][n % 2]} for n in range(30)]
    model = learned("yes", HIDDEN, ["floor"], rows)
    again = [{**row, "floor": row["floor"].replace(".0", ""), "yes": row["yes"] + " "} for row in rows]
    _, transferred = begun(spec("yes", HIDDEN, []), table(again, ["floor", "yes"]), source_of(model))
    assert (transferred.partly, transferred.drawn) == ((), ())


def test_values_are_matched_by_the_targets_name():
    rows = [{**row, "rent": row["value"]} for row in people()]
    model = learned("value", HIDDEN, ["age", "income"], rows)
    for target, drawn in (("value", ()), ("rent", ("W2", "b2"))):
        _, transferred = begun(spec(target, HIDDEN, []), table(rows, ["age", "income", target]), source_of(model))
        assert transferred.drawn == drawn


class TestArrays:
    """Rows that are arrays, as of pictures, and how a run comes to its source."""

    FROM: ClassVar[dict[str, object]] = {"start_from": {"job": "job_1"}, "training": {"epochs": 1}}

    def source(self, kind: str = "three classes") -> Source:
        return source_of(finished(events_of(spec_of(training={"epochs": 3}), toy(kind))).model)

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_tensor_of_the_same_network_is_taken(self, kind: str) -> None:
        source = self.source(kind)
        still = {"optimizer": {"type": "gradient_descent", "learning_rate": 1e-30}, "precision": "float64"}
        events = events_of(spec_of(**self.FROM, **still), toy(kind, seed=5), source=source)
        said = next(event for event in events if isinstance(event, Transferred))
        assert said.taken == ("W1", "W2", "b1", "b2") and said.scales == ("x",)
        for name, array in finished(events).model.parameters.named().items():
            np.testing.assert_array_equal(array, source.parameters[name].astype(np.float64))

    def test_the_source_is_needed_once(self, tmp_path: Path) -> None:
        wanted, source = spec_of(**self.FROM), self.source()
        network, data = prepared(wanted, toy("three classes", seed=5), source)
        whole = list(train(network, wanted, data, source=source))
        parts = resumed(wanted, network, data, 2, tmp_path / "c.safetensors", source=source)
        assert list(told(parts)) == list(told(whole))

    def test_a_checkpoint_is_a_source_and_keeps_the_scales_of_the_job(self, tmp_path: Path) -> None:
        wanted, source, dataset = spec_of(**self.FROM), self.source(), toy("three classes", seed=5)
        network, data = prepared(wanted, dataset, source)
        events = train(network, wanted, data, source=source)
        next(events)
        event = events.send(Save())
        while not isinstance(event, CheckpointMade):
            event = next(events)
        event.checkpoint.save(tmp_path / "c.safetensors")
        events.close()
        checkpoint = Checkpoint.load(tmp_path / "c.safetensors")
        _, again = prepared(wanted, dataset, Source.of_checkpoint(checkpoint))
        for part, x in data.x.items():
            np.testing.assert_array_equal(again.x[part], x)
        assert rows_of(list(train(network, wanted, again, source=Source.of_checkpoint(checkpoint))))

    def test_parameters_and_something_of_them_that_fits_are_needed(self) -> None:
        with pytest.raises(SpecError, match="not handed") as missing:
            events_of(spec_of(**self.FROM))
        source = self.source()
        with pytest.raises(SpecError, match="no tensor there fits") as strange:
            events_of(spec_of(**self.FROM), source=Source(source.preprocessor, {"W1": np.zeros((9, 9))}))
        network, data = prepared(spec_of(**self.FROM), toy("three classes", seed=5))
        with pytest.raises(SpecError, match="scaled") as other:
            list(train(network, spec_of(**self.FROM), data, source=source))
        assert missing.value.pointer == strange.value.pointer == other.value.pointer == "/start_from"
