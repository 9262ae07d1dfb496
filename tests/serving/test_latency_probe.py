from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.models.predictor import Predictor
from driftgauge.serving.latency_probe import INLINE_SECONDS, OBSERVE_SECONDS, measure_latency

from tests.examples import Example


@pytest.mark.parametrize(("fixed", "by_row"), [(0.0, 0.0), (3e-3, 0.0), (1e-4, 2e-6), (0.0, 1e-3)])
def test_the_cost_is_measured_by_a_few_rows_and_by_many(fixed: float, by_row: float, binary: Example) -> None:
    now = 0.0

    class Timed:
        def predict_proba(self, x: FloatArray) -> Any:
            nonlocal now
            now += fixed + by_row * len(x)
            return binary.bundle.model.predict_proba(x)

    predictor = Predictor(replace(binary.bundle, model=Timed()))
    latency = measure_latency(predictor, binary.bundle.info, lambda: now)
    assert latency.fixed_seconds == pytest.approx(fixed, abs=1e-9)
    row = by_row + 6 * OBSERVE_SECONDS if fixed + by_row <= INLINE_SECONDS else 0.0
    assert latency.row_seconds == pytest.approx(row, abs=1e-9)
    assert latency.seconds(64) == pytest.approx(fixed + 64 * row, abs=1e-7)


def test_a_single_slow_prediction_at_start_does_not_make_a_model_slow(binary: Example) -> None:
    now, calls = 0.0, 0

    class Hiccup:
        def predict_proba(self, x: FloatArray) -> Any:
            nonlocal now, calls
            calls += 1
            now += 9.0 if calls in {1, 3, 9} else 1e-4
            return binary.bundle.model.predict_proba(x)

    latency = measure_latency(Predictor(replace(binary.bundle, model=Hiccup())), binary.bundle.info, lambda: now)
    assert latency.seconds(64) == pytest.approx(1e-4, rel=0.1)


def test_a_model_that_takes_rows_one_by_one_only_is_taken_for_slow(binary: Example) -> None:
    class Single:
        def predict_proba(self, x: FloatArray) -> Any:
            (row,) = x
            return binary.bundle.model.predict_proba(row[None])

    predictor = Predictor(replace(binary.bundle, model=Single()))
    assert measure_latency(predictor, binary.bundle.info).seconds(1) > INLINE_SECONDS


def test_without_samples_a_model_is_taken_for_slow(binary: Example) -> None:
    info = binary.bundle.info.model_copy(update={"samples": ()})
    assert measure_latency(Predictor(binary.bundle), info).seconds(1) > INLINE_SECONDS
