"""How far the NDCG of attributions falls by chance, how often a shift is significant, and what a comparison costs.

The live rows are drawn from the same table as those of the reference, so every fall and shift is chance.

Run `python -m benchmarks.attributions --trials 100`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from driftgauge.drift.attribution.attributions import SIGNIFICANCE, compare
from driftgauge.drift.attribution.thresholds import NDCG_THRESHOLD
from driftgauge.models.attributor import Attributor
from driftgauge.models.bundle import Bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.predictor import Predictor, batch_of
from lightgbm import LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

ROWS: Final = (200, 500)
TARGET: Final = "target"
MADE_ROWS: Final = 8_000


@dataclass(frozen=True)
class Quiet:
    """What comparisons of rows without any drift said."""

    lowest: float
    """The lowest NDCG."""
    alarms: float
    """Share of comparisons below the threshold."""
    significant: float
    """Share of comparisons with a significant shift."""
    seconds: float
    """CPU time of one."""


def tables() -> Iterator[tuple[str, pd.DataFrame, list[Any]]]:
    """Yield tables with models for them: of few and of many rows, of 10 to 30 features."""
    columns, target = make_classification(MADE_ROWS, 20, n_informative=10, n_redundant=4, random_state=0)
    made = pd.DataFrame(columns, columns=[f"f{i}" for i in range(20)]).assign(target=target)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    boosted, forest = XGBClassifier(n_estimators=100, n_jobs=1), RandomForestClassifier(30, random_state=0)
    yield "made", made, [logistic, boosted, forest]
    yield "breast_cancer", load_breast_cancer(as_frame=True).frame, [logistic, boosted]
    yield "diabetes", load_diabetes(as_frame=True).frame, [LinearRegression(), LGBMRegressor(verbose=-1, n_jobs=1)]


def bundle_of(model: Any, table: pd.DataFrame, folder: Path) -> tuple[Bundle, pd.DataFrame]:
    """Return a bundle of a model that was fitted on half of the table, and the rows of the other half."""
    mixed = table.sample(frac=1.0, random_state=0).reset_index(drop=True)
    train, other = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
    names = [name for name in table.columns if name != TARGET]
    model.fit(train[names].to_numpy(), train[TARGET])
    options: dict[str, Any] = {"name": "m", "version": "1", "evaluation": other, "features": names}
    return create_bundle(model, train, TARGET, out=folder, **options), other[names]


def quiet(bundle: Bundle, rows: pd.DataFrame, count: int, trials: int, seed: int = 0) -> Quiet:
    """Compare rows that are drawn from those that the bundle's own attributions are of."""
    reference, rng = bundle.attributions, np.random.default_rng(seed)
    if reference is None:
        raise ValueError("the bundle holds no attributions")
    predictor = Predictor(bundle)
    records: Any = rows.to_dict("records")
    attributor, batch = Attributor(predictor, reference.method), batch_of(bundle.info.features, records)
    ndcgs, significant, began = [], 0, time.process_time()
    for trial in range(trials):
        live = attributor.attributions(batch.rows(rng.choice(len(batch), count)), 1e9, seed=trial)
        if live is None:
            raise ValueError("the rows cannot be explained")
        report = compare(reference, live)
        ndcgs.append(report.ndcg if report.ndcg is not None else np.nan)
        significant += any(shift.is_significant for shift in report.shifts)
    seconds = (time.process_time() - began) / trials
    alarms = float(np.mean(np.array(ndcgs) < NDCG_THRESHOLD))
    return Quiet(float(np.min(ndcgs)), alarms, significant / trials, seconds)


def main() -> None:
    """Print a line for each table, model and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    trials = parser.parse_args().trials
    print(f"{trials} comparisons each; NDCG threshold {NDCG_THRESHOLD}, significance {SIGNIFICANCE}")
    heads = f"{'lowest NDCG':>12} {'alarms':>7} {'shift':>6} {'CPU ms':>7}"
    print(f"{'table':14} {'model':22} {'method':12} {'rows':>5} {heads}")
    for name, table, models in tables():
        for model in models:
            with tempfile.TemporaryDirectory() as folder:
                bundle, rows = bundle_of(model, table, Path(folder) / "bundle")
                last = model.steps[-1][1] if hasattr(model, "steps") else model
                method = bundle.attributions.method if bundle.attributions else "none"
                for count in ROWS:
                    found = quiet(bundle, rows, count, trials)
                    print(
                        f"{name:14} {type(last).__name__:22} {method:12} {count:5} {found.lowest:12.4f} "
                        f"{found.alarms:7.1%} {found.significant:6.1%} {1e3 * found.seconds:7.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
