"""A model as one ONNX graph, from raw values to answers, in opset 17.

Numbers go in and out in the model's precision (float for float32, double for float64); what goes in stands in
`engine.export.onnx_inputs`. What comes out: `label` (rows) and `probabilities` (rows × classes) for classes; `labels`
(rows × labels, bool) and `probabilities` for several labels; `value` (rows × values) for numbers.
The metadata holds the features, the classes or labels and the weights' hash, each as JSON.
"""

import json

import numpy as np
import onnx
from onnx import helper

from engine.export.onnx_graph import MACHINE_LEARNING, Graph
from engine.export.onnx_inputs import network_inputs
from engine.export.onnx_layers import network_answers
from engine.model import Model

OPSET = 17  # of ONNX 1.12: new enough for every operator used, old enough for the runtimes in the field
LABEL_OPSET = 2
IR_VERSION = 8


def onnx_model(model: Model) -> onnx.ModelProto:
    """The model as ONNX; ExportImpossible for a part that has no ONNX form."""
    graph, dtype = Graph(), model.parameters.theta.dtype
    answers = network_answers(graph, model, network_inputs(graph, model.preprocessor, dtype))
    target, n_out = model.network.target, model.preprocessor.n_out
    if target.kind == "classes":
        classes = np.array(model.preprocessor.classes)
        best = graph.node("ArgMax", answers, axis=1, keepdims=0)
        text = classes.dtype.kind == "U"
        known = graph.constant(classes.astype(object) if text else classes)
        graph.output("label", graph.node("Gather", known, best), classes.dtype, [])
        graph.output("probabilities", answers, dtype, [n_out])
    elif target.kind == "multilabel":
        graph.output("labels", graph.node("Greater", answers, graph.constant(np.array(0.5, dtype))), np.bool_, [n_out])
        graph.output("probabilities", answers, dtype, [n_out])
    else:
        graph.output("value", answers, dtype, [n_out])
    made = helper.make_model(
        graph.made(model.spec.name or "model"),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MACHINE_LEARNING, LABEL_OPSET)],
        ir_version=IR_VERSION,
    )
    described = {
        "features": [encoder.name for encoder in model.preprocessor.encoders],
        "classes": list(target.labels),
        "weights_sha256": model.weights_sha256,
    }
    helper.set_model_props(made, {key: json.dumps(value) for key, value in described.items()})
    onnx.checker.check_model(made)
    return made
