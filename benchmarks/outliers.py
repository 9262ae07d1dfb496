"""Row novelty beside PyOD's usual detectors: how well a class that the reference lacks is told from the others.

The rows are scikit-learn's data sets. Each class in turn is the outliers; half of the other rows are the reference.
Prints a table for benchmarks/README.md.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import numpy as np
import typer
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.novelty.build import reference_novelty
from driftgauge.drift.novelty.novelty import Detector
from driftgauge.drift.novelty.scorer import RowScorer
from driftgauge.drift.reference.build import build_baseline
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from sklearn import datasets
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

DATA: Final = ("iris", "wine", "breast_cancer", "digits")
Score = Callable[[FloatArray], FloatArray]


@dataclass
class Result:
    """The results of one detector on one data set."""

    aucs: list[float] = field(default_factory=list)
    fit: list[float] = field(default_factory=list)
    row: list[float] = field(default_factory=list)
    """CPU time of a row in a batch, in seconds."""
    single: list[float] = field(default_factory=list)
    """CPU time of a row alone."""


def ours(reference: FloatArray) -> Score:
    """Fit our score."""
    table = {f"c{index}": reference[:, index].copy() for index in range(reference.shape[1])}
    columns = build_baseline(table, created="").columns
    found = reference_novelty(table, columns)
    if found is None:
        raise ValueError("too many columns")
    return RowScorer(columns, found.covariance).scores


def detector(name: Detector) -> Callable[[FloatArray], Score]:
    """Return what fits one of our detectors from scikit-learn, with its threshold, as a baseline does."""

    def fit(reference: FloatArray) -> Score:
        table = {f"c{index}": reference[:, index].copy() for index in range(reference.shape[1])}
        scorer = create_baseline(table, BaselineOptions(outlier_detector=name)).novelty_scorer
        if scorer is None:
            raise ValueError("too many columns")
        return scorer.scores

    return fit


def of_pyod(module: str, name: str) -> Callable[[FloatArray], Score]:
    """Return what fits one of PyOD's detectors with its defaults, on standardised columns."""
    detector: Any = getattr(import_module(f"pyod.models.{module}"), name)

    def fit(reference: FloatArray) -> Score:
        scaler = StandardScaler().fit(reference)
        fitted = detector().fit(scaler.transform(reference))
        return lambda rows: np.asarray(fitted.decision_function(scaler.transform(rows)))

    return fit


def detectors() -> Mapping[str, Callable[[FloatArray], Score]]:
    """Return what fits each detector, by name."""
    usual = {"ECOD": "ecod", "KNN": "knn", "IForest": "iforest", "LOF": "lof", "OCSVM": "ocsvm", "MCD": "mcd"}
    own = {
        "Driftgauge": ours,
        "Driftgauge, isolation_forest": detector("isolation_forest"),
        "Driftgauge, one_class_svm": detector("one_class_svm"),
    }
    return {**own, **{name: of_pyod(module, name) for name, module in usual.items()}}


def measure(fit: Callable[[FloatArray], Score], rows: FloatArray, classes: IntArray, seeds: int) -> Result:
    """Tell each class from the others, for several halves of the others."""
    result = Result()
    for outlier in np.unique(classes):
        for seed in range(seeds):
            _trial(fit, rows[classes != outlier], rows[classes == outlier], seed, result)
    return result


def _trial(
    fit: Callable[[FloatArray], Score], inliers: FloatArray, outliers: FloatArray, seed: int, to: Result
) -> None:
    order = np.random.default_rng(seed).permutation(len(inliers))
    reference, others = inliers[order[: len(order) // 2]], inliers[order[len(order) // 2 :]]
    started = time.process_time()
    score = fit(reference)
    to.fit.append(time.process_time() - started)
    tested, truth = np.concatenate([others, outliers]), np.repeat([0, 1], [len(others), len(outliers)])
    started = time.process_time()
    found = score(tested)
    to.row.append((time.process_time() - started) / len(tested))
    started = time.process_time()
    for row in tested[:5]:
        score(row[np.newaxis])
    to.single.append((time.process_time() - started) / 5)
    to.aucs.append(float(roc_auc_score(truth, found)))


def main(seeds: Annotated[int, typer.Option(help="Halves of the other rows for each class.")] = 5) -> None:
    """Print the table."""
    known = detectors()
    print(f"Python {platform.python_version()}, PyOD {version('pyod')}, {os.cpu_count()} CPUs, {seeds} halves\n")
    print(f"| detector | {' | '.join(DATA)} | fit, ms | a row in a batch, µs | a row alone, µs |")
    print("|---" * (len(DATA) + 4) + "|")
    with threadpool_limits(1):
        for name, fit in known.items():
            loaded = [getattr(datasets, f"load_{data}")() for data in DATA]
            found = [measure(fit, own.data.astype(np.float64), own.target, seeds) for own in loaded]
            aucs = " | ".join(f"{np.mean(own.aucs):.3f}" for own in found)
            times = [float(np.median(np.concatenate([getattr(own, kind) for own in found]))) for kind in
                     ("fit", "row", "single")]  # fmt: skip
            print(f"| {name} | {aucs} | {times[0] * 1e3:.1f} | {times[1] * 1e6:.2f} | {times[2] * 1e6:,.0f} |")


if __name__ == "__main__":
    typer.run(main)
