from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge import create_baseline
from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.description import described
from driftgauge.predictions.ids import is_sampled, key_of
from driftgauge.predictions.recorder import Kept, ModelRecorder, merged
from driftgauge.predictions.rows import LoggedModel

from tests.predictions.logs import Counted, answers, model


def _recorder(own: LoggedModel | None = None, kept: Kept | None = None, sample: float = 1.0) -> ModelRecorder:
    return ModelRecorder(own or model(), kept or Kept((0, 1, 2)), Counted(), sample=sample)


def test_rows_hold_what_was_answered() -> None:
    given = answers(["a", "b"], labels=["yes", "no"])
    rows = _recorder().prepared(7, given)
    assert rows.version == 7
    assert rows.keys == [b"a", b"b"]
    assert rows.scores.tolist() == given.scores.tolist()
    assert rows.predictions.tolist() == [1.0, 0.0]
    assert rows.features.tolist() == given.columns[:, :3].tolist()
    assert rows.arrival.tolist() == rows.time.tolist() == [1_700_000_000_000_000, 1_700_000_000_000_000]


def test_each_row_has_the_latency_of_its_request() -> None:
    given = replace(answers(["a", "b", "c"]), rows=[2, 1], latency_seconds=[0.001, 0.5])
    assert _recorder().prepared(1, given).latency.tolist() == [1_000, 1_000, 500_000]


def test_a_row_without_an_event_has_the_time_of_its_arrival() -> None:
    given = replace(answers(["a", "b"]), event=np.array([np.nan, 1_600_000_000.25]))
    rows = _recorder().prepared(1, given)
    assert rows.time.tolist() == [1_700_000_000_000_000, 1_600_000_000_250_000]


def test_an_unknown_class_is_missing() -> None:
    rows = _recorder().prepared(1, answers(["a", "b"], labels=["yes", "perhaps"]))
    assert np.array_equal(rows.predictions, [1.0, np.nan], equal_nan=True)


def test_a_regression_has_no_class() -> None:
    rows = _recorder(model(classes=())).prepared(1, answers(["a"], labels=[0.25]))
    assert np.isnan(rows.predictions).all()


def test_the_class_may_be_a_code_among_the_columns() -> None:
    given = answers(["a", "b", "c"], labels=[])
    given.columns[:, 3] = [1.0, 2.0, math.nan]  # there are two classes; code 2 is that of others
    rows = _recorder(kept=Kept((0, 1, 2), class_column=3, class_places=(0.0, 1.0))).prepared(1, given)
    assert np.array_equal(rows.predictions, [1.0, np.nan, np.nan], equal_nan=True)


def test_columns_that_are_not_kept_are_not_in_the_rows() -> None:
    given = answers(["a", "b"])
    rows = _recorder(kept=Kept((0, 2))).prepared(1, given)
    assert rows.features.tolist() == given.columns[:, [0, 2]].tolist()


def test_a_hash_hides_values_and_keeps_which_are_equal() -> None:
    given = answers(["a", "b", "c", "d"])
    given.columns[:, 1] = [5.0, 6.0, 5.0, math.nan]
    before = given.columns.copy()
    hashed = Kept((0, 1, 2), hashed=(1,), secret=b"a secret")
    first, second, third, missing = _recorder(kept=hashed).prepared(1, given).features[:, 1].tolist()
    assert first == third != second
    assert {first, second}.isdisjoint({5.0, 6.0})
    assert math.isnan(missing)
    assert first == int(first) < 2**48
    assert np.array_equal(given.columns, before, equal_nan=True)  # the monitor sees the values themselves
    other = _recorder(kept=replace(hashed, secret=b"another")).prepared(1, given).features[:, 1]
    assert other[0] != first


def test_a_sample_keeps_the_ids_whose_hash_is_in_it() -> None:
    ids = [f"order {number}" for number in range(300)]
    given = replace(answers(ids), event=np.arange(300.0))
    rows = _recorder(sample=0.3).prepared(1, given)
    chosen = [number for number, id_ in enumerate(ids) if is_sampled(key_of(id_), 0.3)]
    assert rows.keys == [key_of(ids[number]) for number in chosen]
    assert rows.scores.tolist() == given.scores[chosen].tolist()
    assert rows.time.tolist() == [1_000_000 * number for number in chosen]
    assert rows.features.tolist() == given.columns[chosen, :3].tolist()


def test_an_id_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="is no prediction id"):
        _recorder().prepared(1, answers(["a", "b\0"]))


def test_features_are_those_of_the_first_columns_without_a_copy() -> None:
    given = answers(["a"])
    features: FloatArray = _recorder().prepared(1, given).features
    assert np.shares_memory(features, given.columns)


def test_merged_batches_have_the_rows_of_each() -> None:
    first = replace(answers(["a", "b"], labels=["yes", "no"], seed=1), latency_seconds=[0.001])
    second = replace(answers(["c"], labels=["no"], seed=2), event=np.array([1_600_000_000.0]), latency_seconds=[0.5])
    together = _recorder().prepared(1, merged([first, second]))
    parts = [_recorder().prepared(1, part) for part in (first, second)]
    assert together.keys == [key for part in parts for key in part.keys]
    for name in ("time", "arrival", "scores", "predictions", "latency", "features"):
        expected = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(getattr(together, name), expected), name
    assert merged([first]) is first


def test_each_row_has_the_caller_of_its_request() -> None:
    given = replace(answers(["a", "b", "c"]), rows=[2, 1], latency_seconds=[0.001, 0.5], callers=["billing", ""])
    own = _recorder()
    assert own.prepared(1, given).callers == ["billing", "billing", None]
    assert own.prepared(1, answers(["a"])).callers is None
    assert own.prepared(1, merged([answers(["d"]), given])).callers == [None, "billing", "billing", None]
    sampled = [id_ for id_ in map(str, range(50)) if is_sampled(key_of(id_), 0.5)]
    many = replace(answers([str(number) for number in range(50)]), callers=["billing"])
    assert _recorder(sample=0.5).prepared(1, many).callers == ["billing"] * len(sampled)


def test_an_unsaid_class_is_found_by_its_name_where_classes_have_another_order_than_the_baseline() -> None:
    table = {"age": [1.0, 2.0, 3.0] * 100, "prediction_class": ["often"] * 200 + ["seldom"] * 100}
    baseline = create_baseline(table)
    own = described(baseline, "m", "1", "multiclass", classes=("seldom", "never", "often"))
    codes = baseline.columns[1].bins.encode(["often", "seldom", "other one", None])
    given = replace(answers(["a", "b", "c", "d"], labels=()), columns=np.column_stack([np.ones(4), codes]))
    found = ModelRecorder(own.model, own.kept, Counted()).prepared(1, given).predictions
    assert np.array_equal(found, [2.0, 0.0, np.nan, np.nan], equal_nan=True)
