"""How the answer to one row moves with its inputs: the gradient of one output by every input, by backpropagation."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.data.encoding.row_reading import Row
from engine.errors import SpecError
from engine.evaluation import as_probabilities
from engine.layer import Mode, Pass
from engine.layers import BatchNorm
from engine.model import Model
from engine.network import Workspace
from engine.parameters import Array, Parameters


class InputGradient(BaseModel):
    """How the output moves with one input."""

    model_config = ConfigDict(frozen=True)
    feature: str
    input: str = Field(description="the feature, or the part of it: a category, a pixel, whether it is missing")
    value: float = Field(description="what the network sees, scaled as in training")
    scaled_gradient: float = Field(description="change of the output for a unit of that")
    gradient: float = Field(description="change of the output for a unit of the feature as it is sent")


class Saliency(BaseModel):
    """The gradient of one output at one row."""

    model_config = ConfigDict(frozen=True)
    output: str = Field(description="class, label or value whose answer is explained")
    answer: float = Field(description="probability of the class or label, or the value")
    inputs: tuple[InputGradient, ...] = Field(description="in the features' order")


def saliency(model: Model, row: Row, output: str | None = None) -> Saliency:
    """∂answer/∂input at a row; of the likeliest class where no output is named, else of the first.

    Raises RowError for a row that cannot be read, SpecError for an output that there is not.
    """
    X = model.inputs([row])
    place, name = _output(model, X, output)
    gradient = input_gradient(model, X, place)[0]
    answer = float(model.answers(X)[0, place])
    per_unit = gradient * _units(model)
    names = iter(model.preprocessor.names)
    inputs: list[InputGradient] = []
    for encoder in model.preprocessor.encoders:
        for _ in range(encoder.width):
            at = len(inputs)
            inputs.append(
                InputGradient(
                    feature=encoder.name,
                    input=next(names),
                    value=float(X[0, at]),
                    scaled_gradient=float(gradient[at]),
                    gradient=float(per_unit[at]),
                )
            )
    return Saliency(output=name, answer=answer, inputs=tuple(inputs))


def input_gradient(model: Model, X: NDArray[np.floating], place: int) -> NDArray[np.float64]:
    """∂answers[:, place]/∂X for prepared inputs X (m × n_in), in float64; (m × n_in)."""
    network = model.network
    parameters: Parameters = model.parameters.astype(np.float64)
    workspace: Workspace = network.workspace(len(X), np.float64)
    Z = network.forward(X.astype(np.float64), parameters, workspace, Pass(Mode.PREDICT))
    dA = _output_gradient(model, Z, place)
    scratch = network.gradient(np.float64)
    for index in range(len(network.layers) - 1, -1, -1):
        layer, p, c = network.layers[index], parameters.layers[index], workspace.layers[index]
        c.first = False  # training stops at the first layer that learns; here the inputs are what is asked for
        g = scratch.layers[index]
        # batch norm's statistics are constants by now
        dA = dA * p.gamma * c.scale if isinstance(layer, BatchNorm) else layer.backward(dA, p, g, c)
    return np.array(dA, np.float64)


def _output_gradient(model: Model, Z: Array, place: int) -> Array:
    """∂answer/∂Z of the output layer."""
    answers = as_probabilities(model.network, model.network.loss.output(Z.copy()))
    kind = model.network.target.kind
    chosen = answers[:, [place]]
    if kind == "values":
        gradient: Array = np.tile(np.eye(Z.shape[1])[place], (len(Z), 1))
        return gradient
    if kind == "multilabel":
        return np.asarray(np.eye(Z.shape[1])[place] * chosen * (1 - chosen))
    if Z.shape[1] == 1:  # two classes share one sigmoid
        return np.asarray((1 if place == 1 else -1) * chosen * (1 - chosen))
    return np.asarray(chosen * (np.eye(Z.shape[1])[place] - answers))  # softmax


def _output(model: Model, X: NDArray[np.floating], output: str | None) -> tuple[int, str]:
    kind, names = model.network.target.kind, model.network.target.labels
    if kind == "values":
        names = (
            tuple(f"value_{place}" for place in range(model.network.n_out)) if model.network.n_out > 1 else ("value",)
        )
    if output is None:
        place = 0 if kind == "values" else int(np.argmax(model.answers(X)[0]))
    elif output in names:
        place = names.index(output)
    else:
        raise SpecError("/output", f"there is no output {output!r}; there are {', '.join(names[:20])}")
    return place, names[place]


def _units(model: Model) -> NDArray[np.float64]:
    """What a unit of each feature, as it is sent, is to the network; 1 for inputs that are not scaled."""
    preprocessor = model.preprocessor
    units = np.ones(preprocessor.n_in)
    places = preprocessor.scaled_places
    if len(places):
        zero, one = np.zeros((1, len(places))), np.ones((1, len(places)))
        apply, statistics = preprocessor.normalizer.apply, preprocessor.statistics
        units[places] = (apply(one, statistics) - apply(zero, statistics))[0]
    return units
