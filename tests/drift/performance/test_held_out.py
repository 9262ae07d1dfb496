from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.error_model import fit_error_model
from driftgauge.drift.performance.errors import class_errors, error_table, value_errors
from driftgauge.drift.performance.estimated import fit_calibration
from driftgauge.drift.performance.held_out import NO_HELD_OUT_ROWS, TOO_FEW_HELD_OUT_ROWS, HeldOut, estimated
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.windows.window import Rows, Window, sliding_windows
from sklearn.metrics import roc_auc_score

CREATED = "2026-01-01T00:00:00Z"


def _baseline(values: FloatArray) -> Baseline:
    return build_baseline({"x": values[:, 0].copy(), "prediction": values[:, 1].copy()}, created=CREATED)


def _windows(baseline: Baseline, values: FloatArray, *sizes: int) -> list[Window]:
    rows = Rows(values, baseline.binner.codes(values), np.arange(len(values), dtype=np.float64))
    return sliding_windows(rows, sizes, 0.0, baseline.binner)


def _classes(rows: int, seed: int) -> tuple[FloatArray, HeldOut, float]:
    rng = np.random.default_rng(seed)
    scores = rng.random(rows)
    truth = rng.random(rows) < scores
    errors = class_errors((scores > 0.5) == truth, scores, truth)
    table = fit_calibration(scores, truth, scores > 0.5, binary=True)
    kept = HeldOut(build_baseline(error_table(errors), created=CREATED), calibration=table)
    return np.column_stack([rng.random(rows), scores]), kept, float(roc_auc_score(truth, scores))


def test_scores_are_read_from_the_column_of_predictions_window_by_window() -> None:
    values, kept, auc = _classes(5_000, 0)
    baseline = _baseline(values)
    live = values.copy()
    live[-1_000:, 1] = 0.95
    found = estimated(kept, baseline, _windows(baseline, live, 1_000, 5_000))
    assert found.unavailable is None
    assert found.windows["1000"]["accuracy"] == pytest.approx(0.95, abs=0.03)
    assert found.windows["5000"]["accuracy"] == pytest.approx(0.8 * 0.75 + 0.2 * 0.95, abs=0.03)
    assert found.held_out["accuracy"] == pytest.approx(0.75, abs=0.02)
    assert found.held_out["roc_auc"] == pytest.approx(auc, abs=0.002)


def test_a_window_without_its_rows_has_no_estimate() -> None:
    values, kept, _ = _classes(1_000, 1)
    baseline = _baseline(values)
    known = _windows(baseline, values, 500)[0]
    gone = Window("7d", 5_000, None, None, known.counts)
    assert set(estimated(kept, baseline, [known, gone]).windows) == {"500"}


def test_a_regression_has_its_mean_absolute_error() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(3_000, 2))
    errors = value_errors(values[:, 1] + (1.0 + np.abs(values[:, 0])) * rng.normal(size=3_000), values[:, 1])
    model = fit_error_model(values.T.copy(), errors[:, 0], {})
    kept = HeldOut(build_baseline(error_table(errors), created=CREATED), error_model=model)
    baseline = _baseline(values)
    found = estimated(kept, baseline, _windows(baseline, values, 3_000))
    assert found.held_out == {"mae": pytest.approx(errors[:, 0].mean())}
    assert found.windows["3000"]["mae"] == pytest.approx(errors[:, 0].mean(), rel=1e-6)


def test_without_held_out_rows_it_says_why() -> None:
    values, kept, _ = _classes(1_000, 3)
    baseline = _baseline(values)
    few = HeldOut(kept.errors)
    assert estimated(None, baseline, []).unavailable == NO_HELD_OUT_ROWS
    assert estimated(few, baseline, []).unavailable == TOO_FEW_HELD_OUT_ROWS
    assert few.metrics == {}
    features = build_baseline({"x": values[:, 0].copy()}, created=CREATED)
    assert estimated(kept, features, []).unavailable == NO_HELD_OUT_ROWS
