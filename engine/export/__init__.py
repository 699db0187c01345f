"""Models for those who do not have this package: ONNX graphs, and plain NumPy archives."""

from collections.abc import Callable, Mapping
from pathlib import Path

from engine.export.npz_archive import write_npz
from engine.model import Model

__all__ = ["FORMATS", "artifact", "write_npz", "write_onnx"]


def write_onnx(model: Model, path: Path) -> None:
    """Write the model with its preprocessing as an ONNX graph; `engine.export.onnx_model` describes it.

    Raises ExportImpossible for a part that has no ONNX form.
    """
    from engine.export.onnx_model import onnx_model  # here: most processes never need it

    # Deterministic, so that the same model gives the same bytes.
    path.write_bytes(onnx_model(model).SerializeToString(deterministic=True))


def artifact(model: Model, format: str, path: Path) -> None:
    """Write the model in a format of `FORMATS`; raises what its writer raises."""
    FORMATS[format](model, path)


FORMATS: Mapping[str, Callable[[Model, Path], None]] = {"npz": write_npz, "onnx": write_onnx}
"""How a model is written for others, by the format's name."""
