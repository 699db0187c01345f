"""Data on its way into a network: formats are read into tables, tables are split, scaled and made numbers."""

from engine.data.dataset import Dataset
from engine.data.encoding.normalizers import (
    MinMaxNormalizer,
    NoNormalizer,
    Normalizer,
    ScaleNormalizer,
    StandardNormalizer,
)
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.encoding.target_column import TargetColumn, TargetKind
from engine.data.formats.formats import CsvFormat, Format, NpzFormat, format_of
from engine.data.formats.limits import ReadLimits
from engine.data.preparation import PreparedData, check, prepare
from engine.data.samples import SAMPLES, load_sample, suggest_dataset
from engine.data.specification import DataSpec, dataset_references
from engine.data.splits import ColumnSplit, FractionSplit, GivenSplit, Split
from engine.data.table import Table

__all__ = [
    "SAMPLES",
    "ColumnSplit",
    "CsvFormat",
    "DataSpec",
    "Dataset",
    "Format",
    "FractionSplit",
    "GivenSplit",
    "MinMaxNormalizer",
    "NoNormalizer",
    "Normalizer",
    "NpzFormat",
    "PreparedData",
    "Preprocessor",
    "ReadLimits",
    "ScaleNormalizer",
    "Split",
    "StandardNormalizer",
    "Table",
    "TargetColumn",
    "TargetKind",
    "check",
    "dataset_references",
    "format_of",
    "load_sample",
    "prepare",
    "suggest_dataset",
]
