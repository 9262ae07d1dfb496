"""A bundle that keeps rows of two columns that go together, and rows in which they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from driftgauge.drift.bins import FloatArray
from driftgauge.models.bundle import Bundle, load_bundle
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LogisticRegression

NAMES = ["a", "b"]


def pairs(count: int, seed: int, correlation: float = 0.9) -> FloatArray:
    """Return rows of two columns with a correlation; each by itself is always the same."""
    first, other = np.random.default_rng(seed).normal(size=(2, count))
    return np.column_stack([first, correlation * first + np.sqrt(1.0 - correlation**2) * other])


def kept_bundle(folder: Path, keep_rows: int = 1_000) -> Bundle:
    """Create the bundle in a folder, and read it back."""
    values = pairs(3_000, 0)
    table = pd.DataFrame(values, columns=NAMES).assign(target=(values[:, 0] > 0.0).astype(int))
    train, held_out = table[:2_000], table[2_000:]
    model = LogisticRegression().fit(train[NAMES], train["target"])
    options = BaselineOptions(keep_rows=keep_rows)
    create_bundle(model, train, "target", name="kept", version="1", out=folder, evaluation=held_out, options=options)
    return load_bundle(folder)
