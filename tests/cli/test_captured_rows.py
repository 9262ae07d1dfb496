from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driftgauge.cli.captured_rows import CapturedRows, captured_rows
from driftgauge.errors import PredictionLogError
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.models.predictor import Predictor
from driftgauge.predictions.description import Privacy, described
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

from tests.answers import log_answers
from tests.examples import Example


def captured(example: Example, folder: Path, most: int = 10_000, batch_rows: int = 50) -> CapturedRows:
    store = PredictionStore.open(folder)
    try:
        return captured_rows(store, Selection("m", batch_rows=batch_rows), example.bundle.baseline, most)
    finally:
        store.close()


def test_rows_are_those_that_the_monitor_saw(text: Example, tmp_path: Path) -> None:
    log_answers(text, tmp_path, name="m", days=1.0)
    found = captured(text, tmp_path)
    answers = Predictor(text.bundle).predict(text.batch(text.rows()))
    np.testing.assert_allclose(found.values, answers.columns)
    assert (found.rows, found.left_out, found.hidden) == (len(text.evaluation), 0, ())
    assert found.last - found.first == pytest.approx(60.0 * (found.rows - 1), abs=1e-3)


def test_of_many_rows_a_sample_is_drawn(text: Example, tmp_path: Path) -> None:
    log_answers(text, tmp_path, name="m", days=1.0)
    found = captured(text, tmp_path, most=20)
    assert (len(found.values), found.rows) == (20, len(text.evaluation))


def test_columns_that_are_not_logged_are_hidden(text: Example, tmp_path: Path) -> None:
    log_answers(text, tmp_path, name="m", days=1.0, dropped=["shape"])
    found = captured(text, tmp_path)
    assert (found.baseline.names, found.hidden) == (("radius", "smooth", "prediction"), ("shape",))
    np.testing.assert_allclose(found.values[:, 0], text.evaluation["radius"])


def test_a_log_of_another_baseline_says_how_many_predictions_it_has(text: Example, tmp_path: Path) -> None:
    log_answers(text, tmp_path, name="m", days=1.0)
    other = create_baseline(text.evaluation[["radius", "shape", "smooth"]])
    store = PredictionStore.open(tmp_path)
    with pytest.raises(PredictionLogError, match=f"{len(text.evaluation)} were logged with another baseline"):
        captured_rows(store, Selection("m"), other, 100)
    store.close()


def test_a_log_without_any_column_has_nothing_to_report(text: Example, tmp_path: Path) -> None:
    baseline = create_baseline(text.reference[["radius", "shape", "smooth"]])
    store = PredictionStore.open(tmp_path)
    store.register(described(baseline, "m", "1", "binary", privacy=Privacy(["radius", "shape", "smooth"])).model)
    with pytest.raises(PredictionLogError, match="the log has no column as it is"):
        captured_rows(store, Selection("m"), baseline, 100)
    store.close()
