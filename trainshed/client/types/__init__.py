"""The types of what the API answers, a noun a file: the JSON of its OpenAPI document, field by field."""

from trainshed.client.types.batch_prediction import BatchPrediction
from trainshed.client.types.checkpoint import Checkpoint
from trainshed.client.types.comparison import ComparedJob, Comparison, Curves, Difference
from trainshed.client.types.data_report import (
    ClassBalance,
    ClassShare,
    ColumnShift,
    DataReport,
    Finding,
    Leak,
    Mismatch,
    Predictor,
    RepeatedRows,
    SameRow,
    Settle,
    SplitReport,
)
from trainshed.client.types.dataset import Dataset, DatasetUsage, DatasetUse, Preview
from trainshed.client.types.diagnosis import Diagnosis, NextStep
from trainshed.client.types.event import Event, Period, Timeline
from trainshed.client.types.explanation import Drift, Explained, Importance, Importances, InputGradient, Saliency
from trainshed.client.types.failure import Failure, Fault
from trainshed.client.types.gradient_check import ComponentCheck, GradientCheck, GradientReport, TensorCheck
from trainshed.client.types.hyperparameters import Hyperparameters, Revision
from trainshed.client.types.job import CostEstimate, Job, Milestone, Progress, State, Validated
from trainshed.client.types.json import JsonObject, JsonValue, Spec
from trainshed.client.types.metrics import LayersMeasured, LayerStatistics, MetricsRow
from trainshed.client.types.model import Alias, AliasChange, Model, ModelCard, ModelVersion
from trainshed.client.types.parameters import ParameterSet
from trainshed.client.types.prediction import LabelProbability, ModelPredictions, Prediction, Predictions
from trainshed.client.types.preset import Preset
from trainshed.client.types.worker import Worker

__all__ = [
    "Alias",
    "AliasChange",
    "BatchPrediction",
    "Checkpoint",
    "ClassBalance",
    "ClassShare",
    "ColumnShift",
    "ComparedJob",
    "Comparison",
    "ComponentCheck",
    "CostEstimate",
    "Curves",
    "DataReport",
    "Dataset",
    "DatasetUsage",
    "DatasetUse",
    "Diagnosis",
    "Difference",
    "Drift",
    "Event",
    "Explained",
    "Failure",
    "Fault",
    "Finding",
    "GradientCheck",
    "GradientReport",
    "Hyperparameters",
    "Importance",
    "Importances",
    "InputGradient",
    "Job",
    "JsonObject",
    "JsonValue",
    "LabelProbability",
    "LayerStatistics",
    "LayersMeasured",
    "Leak",
    "MetricsRow",
    "Milestone",
    "Mismatch",
    "Model",
    "ModelCard",
    "ModelPredictions",
    "ModelVersion",
    "NextStep",
    "ParameterSet",
    "Period",
    "Prediction",
    "Predictions",
    "Predictor",
    "Preset",
    "Preview",
    "Progress",
    "RepeatedRows",
    "Revision",
    "Saliency",
    "SameRow",
    "Settle",
    "Spec",
    "SplitReport",
    "State",
    "TensorCheck",
    "Timeline",
    "Validated",
    "Worker",
]
