"""A model as plain arrays and one JSON text, for whoever has NumPy and nothing else.

The arrays are the parameters by name (W1 b1 … mean1 variance1), the preprocessor's statistics with the prefix
`normalize_`, and `description`: UTF-8 JSON as bytes, with the spec, the features in order and the target.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from engine.model import Model

DESCRIPTION = "description"
STATISTICS = "normalize_"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip file's dates begin here; a real one would change the bytes


def write_npz(model: Model, path: Path) -> None:
    """Write an archive that `numpy.load` opens without pickle; the same model gives the same bytes."""
    description = {
        "spec": model.spec.model_dump(mode="json"),
        "preprocessor": model.preprocessor.to_json(),
        "inputs": model.preprocessor.names,
        "weights_sha256": model.weights_sha256,
    }
    text = json.dumps(description, sort_keys=True).encode()
    statistics = {STATISTICS + name: array for name, array in model.preprocessor.statistics.items()}
    arrays = model.parameters.named() | statistics | {DESCRIPTION: np.frombuffer(text, np.uint8)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EARLIEST), member.getvalue())
