"""Estimated performance beside what ground truth says later: ours, NannyML's, and no estimate at all.

The rows are NannyML's synthetic data sets (car loans, car prices) and a simulated regression whose inputs drift.
Prints tables for benchmarks/README.md.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import numpy as np
import pandas as pd
import typer
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.error_model import fit_error_model
from driftgauge.drift.performance.estimated import fit_calibration
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks.peers import TELEMETRY_OFF, quiet

CHUNK: Final = 3_000


@dataclass(frozen=True)
class Case:
    """Held-out rows, and live rows in order, with the answers and truths of a model."""

    name: str
    held_out: pd.DataFrame
    live: pd.DataFrame
    features: Sequence[str]
    answer: str
    truth: str
    score: str | None = None
    """The column of probabilities; None for a regression."""

    @property
    def metrics(self) -> list[str]:
        """What is estimated."""
        return ["mae"] if self.score is None else ["accuracy", "roc_auc"]

    def chunks(self) -> list[pd.DataFrame]:
        """Return the live rows in parts of `CHUNK`."""
        return [self.live.iloc[first : first + CHUNK] for first in range(0, len(self.live) - CHUNK + 1, CHUNK)]

    def realised(self, rows: pd.DataFrame) -> dict[str, float]:
        """Return the metrics by ground truth."""
        if self.score is None:
            return {"mae": float(mean_absolute_error(rows[self.truth], rows[self.answer]))}
        return {
            "accuracy": float(accuracy_score(rows[self.truth], rows[self.answer])),
            "roc_auc": float(roc_auc_score(rows[self.truth], rows[self.score])),
        }


Estimate = Callable[[pd.DataFrame], dict[str, float]]


def ours(case: Case) -> Estimate:
    """Fit our estimate on the held-out rows."""
    rows = case.held_out
    if case.score is not None:
        score, truth = case.score, rows[case.truth].to_numpy() == 1
        table = fit_calibration(rows[score].to_numpy(), truth, rows[case.answer].to_numpy() == 1, binary=True)
        assert table is not None
        return lambda live: dict(table.estimate(live[score].to_numpy()))
    categories = {name: sorted(map(str, rows[name].unique())) for name in case.features if rows[name].dtype == object}

    def by_column(live: pd.DataFrame) -> FloatArray:
        columns = [
            pd.Categorical(live[name].astype(str), categories=categories[name]).codes
            if name in categories
            else live[name].to_numpy()
            for name in [*case.features, case.answer]
        ]
        return np.stack([np.asarray(column, dtype=np.float64) for column in columns])

    widths = {list(case.features).index(name): len(known) for name, known in categories.items()}
    errors = np.abs(rows[case.truth].to_numpy(np.float64) - rows[case.answer].to_numpy(np.float64))
    model = fit_error_model(by_column(rows), errors, widths)
    assert model is not None
    return lambda live: dict(model.estimate(by_column(live)))


def nannymls(case: Case) -> Estimate:
    """Fit NannyML's estimate on the same rows, with its defaults."""
    nannyml = import_module("nannyml")
    common: dict[str, Any] = {"y_true": case.truth, "y_pred": case.answer, "metrics": case.metrics}
    one = import_module("nannyml.chunk").CountBasedChunker(chunk_number=1)
    if case.score is None:
        estimator = nannyml.DLE(feature_column_names=list(case.features), chunker=one, **common)
    else:
        estimator = nannyml.CBPE(y_pred_proba=case.score, problem_type="classification_binary", chunker=one, **common)
    with quiet():
        estimator.fit(case.held_out)

    def estimate(live: pd.DataFrame) -> dict[str, float]:
        with quiet():
            found = estimator.estimate(live.drop(columns=case.truth)).filter(period="analysis").to_df()
        return {name: float(found[name, "value"].iloc[0]) for name in case.metrics}

    return estimate


def nothing(case: Case) -> Estimate:
    """Take the metrics of the held-out rows for those of all rows."""
    known = case.realised(case.held_out)
    return lambda _: known


def cases(seed: int) -> list[Case]:
    """Return the cases."""
    nannyml = import_module("nannyml")
    found = []
    for name, load, answer, truth, score in (
        ("car loans", nannyml.load_synthetic_car_loan_dataset, "y_pred", "repaid", "y_pred_proba"),
        ("car prices", nannyml.load_synthetic_car_price_dataset, "y_pred", "y_true", None),
    ):
        held_out, live, later = load()
        live = live.merge(later, on="id") if "id" in later else live.join(later)
        others = {answer, truth, score, "id", "timestamp", "y_pred_proba"}
        found.append(Case(name, held_out, live, [c for c in held_out if c not in others], answer, truth, score))
    return [*found, simulated(seed)]


def simulated(seed: int) -> Case:
    """Return a regression whose error depends on two features together, and whose inputs drift away."""
    rng = np.random.default_rng(seed)

    def rows(count: int, shift: float) -> pd.DataFrame:
        x = rng.normal(size=(count, 6)) + shift * np.array([1.0, 0.5, 0.0, 0.0, 0.0, 0.0])
        mean = x[:, 0] + np.sin(2.0 * x[:, 1]) + x[:, 2] ** 2 / 3.0
        spread = 0.5 + 0.5 * np.abs(x[:, 0]) + 0.4 * np.maximum(x[:, 1], 0.0) + (x[:, 0] * x[:, 1] > 0.0)
        table = pd.DataFrame(x, columns=[f"x{index}" for index in range(6)])
        return table.assign(answer=0.9 * mean, truth=mean + spread * rng.standard_normal(count))

    live = pd.concat([rows(CHUNK, shift) for shift in np.linspace(0.0, 1.2, 10)], ignore_index=True)
    return Case("simulated regression", rows(10_000, 0.0), live, [f"x{index}" for index in range(6)], "answer", "truth")


def main(seed: Annotated[int, typer.Option(help="Seed of the simulated case.")] = 0) -> None:
    """Estimate each chunk's performance, and print how far the estimates lie from ground truth and what they cost."""
    os.environ.update(TELEMETRY_OFF)
    print(f"Python {platform.python_version()}, NannyML {version('nannyml')}, chunks of {CHUNK:,} rows, seed {seed}\n")
    print("| case | metric | held-out | live, mean | error: Driftgauge | NannyML | held-out value |", end="")
    print(" CPU ms to fit: Driftgauge | NannyML | CPU ms a chunk: Driftgauge | NannyML |")
    print("|---" * 11 + "|")
    with threadpool_limits(1):
        for case in cases(seed):
            _print(case)


def _print(case: Case) -> None:
    parts, held_out = case.chunks(), case.realised(case.held_out)
    realised = [case.realised(part) for part in parts]
    errors: list[dict[str, float]] = []
    costs: list[tuple[float, float]] = []
    for make in (ours, nannymls, nothing):
        began = time.process_time()
        estimate = make(case)
        fitted = time.process_time()
        estimates = [estimate(part) for part in parts]
        costs.append((1e3 * (fitted - began), 1e3 * (time.process_time() - fitted) / len(parts)))
        errors.append(
            {
                name: float(np.mean([abs(e[name] - r[name]) for e, r in zip(estimates, realised, strict=True)]))
                for name in case.metrics
            }
        )
    for name in case.metrics:
        live = np.mean([own[name] for own in realised])
        cells = [case.name, name, f"{held_out[name]:.4g}", f"{live:.4g}", *(f"{own[name]:.2g}" for own in errors)]
        cells += [f"{costs[0][0]:.0f}", f"{costs[1][0]:.0f}", f"{costs[0][1]:.2g}", f"{costs[1][1]:.2g}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
