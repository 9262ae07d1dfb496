"""Predictions of an example's model in a prediction log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from driftgauge.models.predictor import Predictor
from driftgauge.predictions.description import Privacy, described
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore

from tests.examples import Example


def log_answers(example: Example, folder: Path, *, name: str, days: float, dropped: Sequence[str] = ()) -> None:
    """Log predictions of the held-out rows a minute apart, the last of them some days ago."""
    store = PredictionStore.open(folder)
    info, baseline = example.bundle.info, example.bundle.baseline
    known = described(baseline, name, info.version, info.task, classes=info.classes, privacy=Privacy(dropped))
    version = store.register(known.model)
    answers = Predictor(example.bundle).predict(example.batch(example.rows()))
    count = len(answers.scores)
    times = ((time.time() - days * 86_400.0 - 60.0 * np.arange(count)[::-1]) * 1e6).astype(np.int64)
    store.write(
        [
            LoggedRows(
                version=version,
                keys=[key_of(str(row)) for row in range(count)],
                arrival=times,
                time=times,
                scores=answers.scores,
                predictions=(answers.scores > 0.5).astype(np.float64),
                latency=np.full(count, 300),
                features=answers.columns[:, list(known.kept.columns)],
            )
        ]
    )
    store.close()
