"""The monitor of the tutorials: it recomputes all gauges from the last rows on each request.

It begins with full windows, as it would have after 10,000 requests: so many do not fit into a run.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI
from prometheus_client import Counter, Gauge, Histogram, make_asgi_app

from benchmarks.contestants.bare import Answer, Row, load

WINDOW_ROWS: Final = 10_000
EDGES: Final = np.linspace(0.0, 1.0, 11)
EXPECTED: Final = np.full(10, 0.1)
"""Shares of the score's bins that the window is compared with; which ones they are costs the same."""


def psi(scores: npt.NDArray[np.float64]) -> float:
    """Return the population stability index of the scores, shares clipped at 1e-4."""
    shares = np.clip(np.histogram(scores, EDGES)[0] / len(scores), 1e-4, None)
    return float(np.sum((shares - EXPECTED) * np.log(shares / EXPECTED)))


def create_app() -> FastAPI:
    """Return the server; for `uvicorn --factory`."""
    model, names = load()
    generator = np.random.default_rng(0)
    windows = {name: deque(generator.normal(size=WINDOW_ROWS).tolist(), WINDOW_ROWS) for name in names}
    scores = deque(generator.random(WINDOW_ROWS).tolist(), WINDOW_ROWS)
    predictions = Counter("predictions_total", "Predictions made.")
    latency = Histogram("prediction_latency_seconds", "Time that a prediction takes.")
    mean = Gauge("feature_mean", "Mean of a feature in the window.", ["feature"])
    std = Gauge("feature_std", "Standard deviation of a feature in the window.", ["feature"])
    score_psi = Gauge("score_psi", "PSI of the score in the window.")

    def observe(row: Row, score: float) -> None:
        for name, window in windows.items():
            window.append(row.features[name])
            values = np.array(window)
            mean.labels(name).set(np.mean(values))
            std.labels(name).set(np.std(values))
        scores.append(score)
        score_psi.set(psi(np.array(scores)))
        predictions.inc()

    app = FastAPI()
    app.mount("/metrics", make_asgi_app())

    @app.post("/predict")
    async def predict(row: Row) -> Answer:
        with latency.time():
            values = np.array([[row.features[name] for name in names]])
            score = float(model.predict_proba(values)[0, 1])
        observe(row, score)
        return Answer(prediction=int(score >= 0.5), score=score)

    return app
