"""The monitor of the tutorials: it recomputes all gauges from the last rows on each request.

It begins with full windows, as it would have after 10,000 requests: so many do not fit into a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, make_asgi_app

from benchmarks.contestants.bare import Answer, Row, load

WINDOW_ROWS: Final = 10_000
EDGES: Final = np.linspace(0.0, 1.0, 11)
EXPECTED: Final = np.full(10, 0.1)
"""Shares of the score's bins that the window is compared with; which ones they are costs the same."""


def psi(scores: npt.NDArray[np.float64]) -> float:
    """Return the population stability index of the scores, shares clipped at 1e-4."""
    shares = np.clip(np.histogram(scores, EDGES)[0] / len(scores), 1e-4, None)
    return float(np.sum((shares - EXPECTED) * np.log(shares / EXPECTED)))


class Textbook:
    """The gauges of the tutorials."""

    def __init__(self, names: Sequence[str], registry: CollectorRegistry = REGISTRY) -> None:
        generator = np.random.default_rng(0)
        self._windows = {name: deque(generator.normal(size=WINDOW_ROWS).tolist(), WINDOW_ROWS) for name in names}
        self._scores = deque(generator.random(WINDOW_ROWS).tolist(), WINDOW_ROWS)
        self._predictions = Counter("predictions_total", "Predictions made.", registry=registry)
        self._mean = Gauge("feature_mean", "Mean of a feature in the window.", ["feature"], registry=registry)
        self._std = Gauge(
            "feature_std", "Standard deviation of a feature in the window.", ["feature"], registry=registry
        )
        self._score_psi = Gauge("score_psi", "PSI of the score in the window.", registry=registry)

    def observe(self, features: Mapping[str, float], score: float) -> None:
        """Add a row and recompute everything."""
        for name, window in self._windows.items():
            window.append(features[name])
            values = np.array(window)
            self._mean.labels(name).set(np.mean(values))
            self._std.labels(name).set(np.std(values))
        self._scores.append(score)
        self._score_psi.set(psi(np.array(self._scores)))
        self._predictions.inc()


def create_app() -> FastAPI:
    """Return the server; for `uvicorn --factory`."""
    model, names = load()
    monitor = Textbook(names)
    latency = Histogram("prediction_latency_seconds", "Time that a prediction takes.")
    app = FastAPI()
    app.mount("/metrics", make_asgi_app())

    @app.post("/predict")
    async def predict(row: Row) -> Answer:
        with latency.time():
            values = np.array([[row.features[name] for name in names]])
            score = float(model.predict_proba(values)[0, 1])
        monitor.observe(row.features, score)
        return Answer(prediction=int(score >= 0.5), score=score)

    return app
