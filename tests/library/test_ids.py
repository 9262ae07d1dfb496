from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from driftgauge import Monitor, Refused, create_baseline
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import Reason
from driftgauge.library.ids import prediction_ids
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import SOURCES, PredictionBatch
from driftgauge.predictions.store import PredictionStore


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, 500),
            "plan": rng.choice(["basic", "pro"], 500),
            "prediction": rng.random(500),
            "prediction_class": rng.choice(["no", "yes"], 500),
        }
    )
    return create_baseline(table)


def _logged(folder: Path) -> PredictionBatch:
    store = PredictionStore.open(folder)
    (batch,) = store.read(Selection("model"))
    store.close()
    return batch


def test_rows_with_ids_are_in_the_prediction_log(baseline: Baseline, tmp_path: Path) -> None:
    with Monitor.open(baseline, state_dir=tmp_path, on_error="raise") as monitor:
        row = {"age": 41.5, "plan": "pro"}
        monitor.observe(row, prediction=0.25, prediction_class="yes", ids="first")
        monitor.observe(row, prediction=0.5, prediction_class="no")  # without an id it is only monitored
        frame = pd.DataFrame({"age": [20.0, np.nan], "plan": ["basic", "pro"]})
        at = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:01Z"]
        monitor.observe(frame, prediction=[0.75, 0.125], prediction_class=["no", "yes"], at=at, ids=["b", "c"])
        assert monitor.report().rows_observed == 4
    batch = _logged(tmp_path)
    ((version, model),) = batch.models.items()
    order = [batch.ids.index(id_) for id_ in ("first", "b", "c")]
    assert batch.scores[order].tolist() == [0.25, 0.75, 0.125]
    assert [model.classes[int(index)] for index in batch.predictions[order]] == ["yes", "no", "yes"]
    assert np.array_equal(batch.features[version][order, 0], [41.5, 20.0, np.nan], equal_nan=True)
    plans = model.features[1].categories
    assert [plans[int(code)] for code in batch.features[version][order, 1]] == ["pro", "basic", "pro"]
    assert batch.time[order][1:].tolist() == [1_769_860_800_000_000, 1_769_860_801_000_000]
    assert {SOURCES[number] for number in batch.source.tolist()} == {"library"}


def test_single_rows_do_not_share_their_numbers(baseline: Baseline, tmp_path: Path) -> None:
    with Monitor.open(baseline, state_dir=tmp_path, on_error="raise") as monitor:
        for number in range(50):
            row = {"age": float(number), "plan": "pro"}
            monitor.observe(row, prediction=0.5, prediction_class="yes", ids=f"row {number}")
    batch = _logged(tmp_path)
    ages = dict(zip(batch.ids, batch.features[1][:, 0].tolist(), strict=True))
    assert ages == {f"row {number}": float(number) for number in range(50)}


def test_another_number_of_ids_than_of_rows_is_refused_and_nothing_is_counted(
    baseline: Baseline, tmp_path: Path
) -> None:
    with Monitor.open(baseline, state_dir=tmp_path, on_error="raise") as monitor:
        row = {"age": 41.5, "plan": "pro"}
        with pytest.raises(Refused, match="there are 2 ids for 1 rows: give one for each"):
            monitor.observe(row, prediction=0.25, prediction_class="yes", ids=["a", "b"])
        assert monitor.report().rows_observed == 0


def test_state_in_memory_takes_ids_and_keeps_no_log(baseline: Baseline) -> None:
    with Monitor.open(baseline, on_error="raise") as monitor:
        monitor.observe({"age": 41.5, "plan": "pro"}, prediction=0.25, prediction_class="yes", ids="a")
        assert monitor.report().rows_observed == 1


def test_ids_may_be_other_things_that_have_a_text() -> None:
    own = uuid.uuid4()
    assert prediction_ids([own, 7]) == [str(own), "7"]
    assert prediction_ids(pd.Series(["a", "b"])) == ["a", "b"]


@pytest.mark.parametrize("given", ["", ["a", ""], ["x" * 129], ["a\n"], 7])
def test_what_cannot_be_an_id_is_refused(given: object) -> None:
    with pytest.raises(Refused) as caught:
        prediction_ids(given)
    assert caught.value.reason is Reason.INVALID_PREDICTION_ID
