"""The bare server: FastAPI, pydantic and scikit-learn, and nothing else. All ratios are against it.

The model runs on the event loop, in an `async def`: for a call of a tenth of a millisecond a thread costs more
than it saves.
"""

from __future__ import annotations

import os
from typing import Any

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel


class Row(BaseModel):
    """What is asked."""

    features: dict[str, float]


class Answer(BaseModel):
    """What is answered."""

    prediction: int
    score: float


def load() -> tuple[Any, list[str]]:
    """Return the fitted model of the file MODEL, and the names of its columns in order."""
    model = joblib.load(os.environ["MODEL"])
    return model, [f"f{place:03}" for place in range(model.n_features_in_)]


def create_app() -> FastAPI:
    """Return the server; for `uvicorn --factory`."""
    model, names = load()
    app = FastAPI()

    @app.post("/predict")
    async def predict(row: Row) -> Answer:
        values = np.array([[row.features[name] for name in names]])
        score = float(model.predict_proba(values)[0, 1])
        return Answer(prediction=int(score >= 0.5), score=score)

    return app
