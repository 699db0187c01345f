"""The engine: what a training job means, and the mathematics that carries it out. A library on its own."""

from engine.checkpoint import Checkpoint
from engine.data import Dataset, Table
from engine.data.preparation import PreparedData, prepare
from engine.data.refusals import SpecErrors
from engine.data.samples import load_sample
from engine.devices import Placement, placed
from engine.errors import (
    CheckpointMismatch,
    DataError,
    Diverged,
    EngineError,
    RowError,
    ShapeMismatch,
    SpecError,
)
from engine.events import (
    Change,
    Changed,
    ChangeRefused,
    CheckpointMade,
    Control,
    DataHeld,
    EpochEnded,
    Event,
    Finished,
    GradientsChecked,
    LayersMeasured,
    Progress,
    Progressed,
    Resumed,
    Save,
    Started,
    Stop,
    Transferred,
    Warned,
)
from engine.examples import examples_of
from engine.gradient_check import GradientCheckSpec, GradientReport, check_gradients
from engine.model import Model, load
from engine.network import Network
from engine.random_streams import RandomStreams
from engine.spec import JobSpec
from engine.training import initial_parameters, train
from engine.transfer import Source

__all__ = [
    "Change",
    "ChangeRefused",
    "Changed",
    "Checkpoint",
    "CheckpointMade",
    "CheckpointMismatch",
    "Control",
    "DataError",
    "DataHeld",
    "Dataset",
    "Diverged",
    "EngineError",
    "EpochEnded",
    "Event",
    "Finished",
    "GradientCheckSpec",
    "GradientReport",
    "GradientsChecked",
    "JobSpec",
    "LayersMeasured",
    "Model",
    "Network",
    "Placement",
    "PreparedData",
    "Progress",
    "Progressed",
    "RandomStreams",
    "Resumed",
    "RowError",
    "Save",
    "ShapeMismatch",
    "Source",
    "SpecError",
    "SpecErrors",
    "Started",
    "Stop",
    "Table",
    "Transferred",
    "Warned",
    "check_gradients",
    "examples_of",
    "initial_parameters",
    "load",
    "load_sample",
    "placed",
    "prepare",
    "train",
]
