"""What one writes first: a FastAPI endpoint with pydantic models around the same network. Weights: $WEIGHTS."""

import os

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

with np.load(os.environ["WEIGHTS"]) as archive:
    W1, b1, W2, b2 = (archive[name] for name in ("W1", "b1", "W2", "b2"))

app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]]


class Prediction(BaseModel):
    label: int
    probabilities: dict[str, float]


class Predictions(BaseModel):
    predictions: list[Prediction]


@app.post("/predict")
async def predict(body: Rows) -> Predictions:
    x = np.array(body.rows, np.float32) / np.float32(255)
    z = np.maximum(x @ W1 + b1, 0) @ W2 + b2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return Predictions(
        predictions=[
            Prediction(label=int(row.argmax()), probabilities={str(i): float(q) for i, q in enumerate(row)})
            for row in p
        ]
    )
