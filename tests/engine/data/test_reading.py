"""A value means the same in a file of any format, in a row to predict, and in the ONNX file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from engine.data import NoNormalizer, Preprocessor, TargetColumn
from engine.data.encoding.column_options import CategoryColumn
from engine.data.formats.csv.csv_format import CsvFormat
from engine.data.formats.csv.csv_options import CsvOptions
from engine.data.formats.json.json_format import JsonFormat
from engine.data.reading.label_places import label_places
from engine.data.reading.unreadable import UnreadableRows
from engine.data.table import Table
from engine.errors import SpecError

TARGET = TargetColumn("y", "values", (), 1)

SPELLINGS = ["1", "1.0", "2.50", "2.5", "-3", "007", "True", "false", "x", "X", "1e3", "1,5", "12%", "9007199254740993"]
CELLS = st.sampled_from([*SPELLINGS, *(f" {word}" for word in SPELLINGS[:4]), "NA", "?", "", "\\N", "n.a."])


def read_csv(folder: Path, cells: Sequence[str], **options: object) -> Table:
    path = folder / "table.csv"
    path.write_text("cell,n\n" + "".join(f'"{cell}",{number}\n' for number, cell in enumerate(cells)))
    return CsvFormat().incoming(path, None)["all"].table() if not options else _told(path, options)


def _told(path: Path, options: dict[str, object]) -> Table:
    return CsvFormat.model_validate(CsvOptions.model_validate(options).model_dump()).incoming(path)["all"].table()


@given(st.lists(CELLS, min_size=2, max_size=12), st.lists(CELLS, min_size=2, max_size=12), st.booleans())
def test_cells_of_another_file_are_read_as_the_same_texts_in_rows(
    new_folder: Callable[[], Path], trained: list[str], asked: list[str], labels: bool
) -> None:
    table = read_csv(new_folder(), trained).select(["cell"])
    try:
        options = {"cell": CategoryColumn()} if labels else {}
        preprocessor = Preprocessor.learn(table, NoNormalizer(), TARGET, options)
    except SpecError:  # a column without a number, or with cells that are none: there is no model to ask
        reject()
    other = read_csv(new_folder(), asked).select(["cell"])
    try:
        expected = preprocessor.read_rows([{"cell": cell} for cell in asked])
    except UnreadableRows as refused:
        with pytest.raises(UnreadableRows) as caught:
            preprocessor.read_table(other)
        assert [fault.row for fault in caught.value.faults] == [fault.row for fault in refused.faults]
        return
    found = preprocessor.read_table(other)
    np.testing.assert_array_equal(found.columns[0], expected.columns[0])
    assert found.marks() == expected.marks()


@pytest.mark.parametrize(
    ("known", "text", "place"),
    [
        (("1.0", "2.0", "unknown"), "1", 0),
        (("1", "1.0", "x"), "1.00", -1),  # two labels have this value
        (("1", "1.0", "x"), "1.0", 1),
        (("True", "False", "Unknown"), "true", 0),
        (("007", "7"), "07", -1),
        (("007", "7"), "7.0", 1),
        (("yes", "no"), "Yes", -1),
        (("a", "b"), " a ", 0),
        (("9007199254740992", "9007199254740993"), "9007199254740993", 1),
        (("0.1", "x"), "0.10", 0),
        (("1e3", "x"), "1000", -1),
        (("1", "x"), "true", -1),
    ],
)
def test_labels_are_equal_as_text_or_by_value_if_one_has_it(known: tuple[str, ...], text: str, place: int) -> None:
    assert label_places(known).place(text) == place


def test_a_number_may_stand_for_a_missing_value(tmp_path: Path) -> None:
    table = read_csv(tmp_path, ["1", "-999", "3.5", "NULL", "8"] * 3, missing="-999,null").select(["cell"])
    assert table.types["cell"].kind == "number"
    assert table.values("cell")[:5] == [1, None, 3.5, None, 8]
    preprocessor = Preprocessor.learn(table, NoNormalizer(), TARGET, {})
    for rows in ([{"cell": -999}], [{"cell": "-999.0"}], [[-999.0]], np.array([[-999.0]])):
        x, marks = preprocessor.rows(rows)
        assert x.tolist() == [[3.5, 1]] and marks.filled == {0: ["cell"]}


def test_json_has_null_and_needs_no_words_for_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = [{"code": code, "n": number} for number, code in enumerate(["NA", "None", None, "DE", ""] * 3)]
    path.write_text(json.dumps(rows))
    table = JsonFormat().read(path).training
    assert table.values("code")[:5] == ["NA", "None", None, "DE", None]
    preprocessor = Preprocessor.learn(table.select(["code"]), NoNormalizer(), TARGET, {})
    read = preprocessor.read_rows([{"code": "NA"}, {"code": None}, {"code": "nan"}])
    assert (read.marks().filled, read.marks().unseen) == ({1: ["code"]}, {2: ["code"]})


def test_the_graph_reads_spellings_as_the_service_does(tmp_path: Path) -> None:
    from onnx import helper

    from engine.export.onnx_graph import Graph
    from engine.export.onnx_inputs import network_inputs

    table = read_csv(tmp_path, ["1.0", "True", "red", "NA", "1.0"] * 4)
    preprocessor = Preprocessor.learn(table, NoNormalizer(), TARGET, {})
    graph = Graph()
    graph.output("x", network_inputs(graph, preprocessor, np.float64), np.float64, [preprocessor.n_in])
    model = helper.make_model(
        graph.made("inputs"),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    cells = ["1.0", "1", "1.00", "true", "TRUE", "red", "Red", "NaN", "nAn", "NULL", "", "?", "blue"]
    rows = [{"cell": cell, "n": 3} for cell in cells]
    sent = {"cell": np.array([[cell] for cell in cells], object), "n": np.full((len(cells), 1), 3.0)}
    (found,) = session.run(None, sent)
    np.testing.assert_allclose(found, preprocessor.rows(rows)[0])
