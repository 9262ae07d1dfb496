"""Tables whose cells databases and Arrow may understand differently."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa

INJECTION = 'x"; DROP TABLE t; --'


def mixed(rows: int = 1_500, seed: int = 1) -> pa.Table:
    """Return columns of every kind, with heavy values, ties, gaps and infinities."""
    random = np.random.default_rng(seed)
    gaps = random.random(rows) < 0.1
    heavy = random.normal(size=rows)
    heavy[random.random(rows) < 0.3], heavy[random.random(rows) < 0.15], heavy[rows // 2] = 0.0, 1.5, -0.0
    endless = random.normal(size=rows)
    endless[random.random(rows) < 0.02], endless[random.random(rows) < 0.01] = np.inf, -np.inf
    unknown = random.normal(size=rows)
    unknown[::7] = np.nan
    cents = random.integers(0, 100_000, rows)
    return pa.table(
        {
            "long tail": random.lognormal(size=rows) * 1e3,
            "heavy": heavy,
            "endless": endless,
            "NaN": unknown,
            INJECTION: pa.array(random.normal(size=rows), mask=gaps),
            "single": random.normal(size=rows).astype(np.float32),
            "few": random.integers(0, 5, rows),
            "ties": random.poisson(30, rows),
            "large": random.integers(2**60, 2**62, rows),
            "flag": random.random(rows) < 0.5,
            "price": pa.array([Decimal(int(cent)) / 100 for cent in cents], pa.decimal128(12, 2)),
            "unknown": pa.nulls(rows, pa.float64()),
            "constant": np.full(rows, 7.5),
            "huge": random.normal(size=rows) * 2e307,
            "tiny": random.normal(size=rows) * 1e-300,
            "word": random.choice(["a", "b", "", "ü", "missing", '"q', "雪"], rows),
            "rare": random.integers(0, 800, rows).astype(str),
            "half": pa.array(["z" if flag else None for flag in gaps], pa.string()),
            "prediction_class": random.integers(0, 3, rows),
        }
    )


def ids(rows: int = 12_000) -> pa.Table:
    """Return a column of more categories than are kept, one of them frequent."""
    named = np.arange(rows).astype(str)
    named[: rows // 10] = "common"
    return pa.table({"id": named})


TABLES = {
    "mixed": mixed(),
    "one row": mixed(1),
    "three rows": mixed(3),
    "ids": ids(),
    "only infinities": pa.table({"x": [np.inf, -np.inf, np.nan, None]}),
    "two zeros": pa.table({"x": [0.0, -0.0] * 30 + [1.0]}),
    "nothing": pa.table({"x": [1.0, 2.0], "y": pa.nulls(2)}),
    "no category": pa.table({"c": pa.nulls(5, pa.string()), "x": [1, 2, 3, 4, 5]}),
}
