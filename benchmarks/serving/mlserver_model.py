"""A folder that MLServer serves: scikit-learn's MLPClassifier with given weights. Run by MLServer's own interpreter.

`python mlserver_model.py WEIGHTS.npz FOLDER PORT`
"""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.neural_network import MLPClassifier

weights, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
model = MLPClassifier((128,), max_iter=1)
model.fit(np.random.default_rng(0).random((20, 784)).astype(np.float32), np.arange(20) % 10)
with np.load(weights) as archive:
    # The pixels are divided by 255 in the first weights.
    model.coefs_ = [archive["W1"] / np.float32(255), archive["W2"]]
    model.intercepts_ = [archive["b1"], archive["b2"]]
(folder / "mnist").mkdir(parents=True)
joblib.dump(model, folder / "mnist" / "model.joblib")
settings = {"name": "mnist", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}
(folder / "mnist" / "model-settings.json").write_text(json.dumps(settings))
server = {
    "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "host": "127.0.0.1", "parallel_workers": 0,
    "debug": False, "use_structured_logging": False,
}  # fmt: skip
(folder / "settings.json").write_text(json.dumps(server))
