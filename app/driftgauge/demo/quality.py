"""How well the model's scores rank the late flights."""

from __future__ import annotations

import pandas as pd
from sklearn.metrics import roc_auc_score

from driftgauge.demo.flights import CLASSES
from driftgauge.drift.bins import FloatArray


def auc(late: pd.Series[str], scores: FloatArray) -> float | None:
    """Return the AUC of flights by their true delays; None if one class is absent.

    Flights that never arrived do not count.
    """
    arrived = late.notna().to_numpy()
    truth = (late == CLASSES[1]).to_numpy()[arrived]
    return float(roc_auc_score(truth, scores[arrived])) if truth.any() and not truth.all() else None
