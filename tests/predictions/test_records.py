from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.joined_labels import JoinedTruth
from driftgauge.predictions.records import feature_columns, records, time_texts
from driftgauge.predictions.rows import LoggedFeature, PredictionBatch

from tests.predictions.logs import NOW, model

OLD = model(features=1)
NEW = replace(model(version="2"), features=(LoggedFeature("colour", "categorical", ("red", "blue", "missing")),))


def batch(versions: Sequence[int], features: dict[int, FloatArray]) -> PredictionBatch:
    count = len(versions)
    times = NOW + np.arange(count)
    return PredictionBatch(
        models={1: OLD, 2: NEW},
        seq=np.arange(count),
        version=np.array(versions),
        keys=[f"r{row}".encode() for row in range(count)],
        time=times,
        arrival=times + 1_000_000,
        scores=np.full(count, 0.25),
        predictions=np.array([1.0, 0.0, np.nan][:count]),
        latency=np.full(count, 1_500),
        source=np.zeros(count, np.int64),
        callers=[None] * count,
        features=features,
    )


def test_rows_of_several_versions_have_their_own_features() -> None:
    found = list(records(batch([1, 2, 1], {1: np.array([[0.5], [np.nan]]), 2: np.array([[1.0]])})))
    assert [row["features"] for row in found] == [{"f0": 0.5}, {"colour": "blue"}, {"f0": None}]
    assert [row["prediction"] for row in found] == ["yes", "no", None]
    assert [row["model_version"] for row in found] == ["1", "2", "1"]
    assert found[0]["latency_seconds"] == 0.0015
    assert (found[0]["timestamp"], found[0]["arrived_at"]) == (
        "2023-11-14T22:13:20.000000Z",
        "2023-11-14T22:13:21.000000Z",
    )


def test_what_was_not_read_is_left_out() -> None:
    (row,) = records(batch([1], {}))
    assert not {"features", "label", "observed_at", "outcomes"} & row.keys()


def test_ground_truth_belongs_to_its_row() -> None:
    first, second = records(batch([1, 1], {}), {1: JoinedTruth("yes", NOW, {"revenue": 2.0})})
    assert (first["label"], first["observed_at"], first["outcomes"]) == (None, None, {})
    assert (second["label"], second["observed_at"]) == ("yes", time_texts(np.array([NOW]))[0])
    assert second["outcomes"] == {"revenue": 2.0}


def test_a_missing_category_is_null_and_other_kinds_are_whole_numbers() -> None:
    own = replace(OLD, features=(*NEW.features, LoggedFeature("text", "text"), LoggedFeature("hash", "hashed")))
    found = feature_columns(own, np.array([[0.0, 12.0, 2.0**52], [2.0, np.nan, np.nan]]))
    assert found == {"colour": ["red", None], "text": [12, None], "hash": [2**52, None]}
    assert [type(values[0]) for values in found.values()] == [str, int, int]
