"""A graph takes days apart as the encoder of dates does."""

from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime
import pytest
from onnx import helper, save

from engine.data.encoding.column_options import DatePart
from engine.data.encoding.date_encoder import DateEncoder
from engine.export.onnx_dates import date_inputs
from engine.export.onnx_graph import Graph


@pytest.mark.parametrize("part", get_args(DatePart))
def test_a_graph_takes_dates_apart_as_the_calendar_does(part: DatePart, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    days = np.concatenate([generator.integers(-600_000, 2_900_000, 3000), np.arange(-800, 800)]) + 0.25
    encoder = DateEncoder(name="when", parts=(part,), months=(1 / 11,) * 11 + (0,), weekdays=(0, *(1 / 6,) * 6))
    expected = np.empty((len(days), encoder.width))
    encoder.encode(days, expected)
    graph = Graph()
    graph.output("inputs", date_inputs(graph, encoder), np.float64, [encoder.width])
    save(
        helper.make_model(graph.made("dates"), opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        tmp_path / "d",
    )
    session = onnxruntime.InferenceSession(tmp_path / "d", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"when": days[:, None]})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
