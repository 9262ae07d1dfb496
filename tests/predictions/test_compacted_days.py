"""Exports, baselines and performance over compacted days and live rows, beside a recount of what was written."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from driftgauge.cli.log_export import export
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.baseline import dumps
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.database import reading
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.learned_baseline import learn_baseline
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import MICROSECONDS, LoggedFeature, LoggedRows
from driftgauge.predictions.schema import chunks, day_files
from driftgauge.predictions.store import PredictionStore
from sqlalchemy import func, select

from tests.monitor.test_ground_truth import DAY, HOUR, MODEL, START, Log, evaluated, monitor_of
from tests.monitors import small_baseline

BASELINE = small_baseline()
NUMBERS = tuple(LoggedFeature(feature.name, "numeric") for feature in MODEL.features)
PART_ROWS = 150
PARTS = 6
"""Parts that are written together, two on each of three days."""


@dataclass(frozen=True)
class Written:
    """A log of three days of which two are compacted, and what was written into it, in the order of time."""

    log: Log
    ids: list[str]
    features: FloatArray
    scores: FloatArray
    predicted: FloatArray
    actual: IntArray
    learned_live: str
    """The baseline that was learned before the days were compacted."""


@pytest.fixture
def written(store: PredictionStore) -> Written:
    version = store.register(replace(MODEL, features=NUMBERS, baseline_hash=BASELINE.hash))
    rng = np.random.default_rng(0)
    count = PARTS * PART_ROWS
    begins = [START + day * DAY + hour * HOUR for day in range(3) for hour in range(2)]
    times = np.concatenate([(begin + np.arange(PART_ROWS)) * MICROSECONDS for begin in begins]).astype(np.int64)
    features = np.stack([rng.normal(40.0, 10.0, count), rng.integers(0, 2, count), rng.integers(0, 3, count)], axis=1)
    scores = rng.random(count)
    predicted = (scores > 0.5).astype(np.float64)
    actual = (rng.random(count) < scores).astype(np.int64)
    ids = [f"r{row}" for row in range(count)]
    for first in range(0, count, PART_ROWS):
        part = slice(first, first + PART_ROWS)
        rows = LoggedRows(
            version=version,
            keys=list(map(key_of, ids[part])),
            arrival=times[part],
            time=times[part],
            scores=scores[part],
            predictions=predicted[part],
            latency=np.ones(PART_ROWS, dtype=np.int64),
            features=features[part],
        )
        store.write([rows])
    labels = LabelStore(store.engine, version)
    given = zip(ids, actual.tolist(), strict=True)
    labels.add([GivenLabel(key_of(id_), float(value), None) for id_, value in given], START + 3 * DAY)
    learned = dumps(learn_baseline(BASELINE, store.read(Selection("m")), "2026-01-01T00:00:00Z").baseline)
    while compact(store.engine, START + 2 * DAY + HOUR):
        pass
    with reading(store.engine) as connection:
        assert connection.execute(select(func.sum(day_files.c.rows))).scalar() == 4 * PART_ROWS
        assert connection.execute(select(func.sum(chunks.c.rows))).scalar() == 2 * PART_ROWS
    return Written(Log(store, version, labels), ids, features, scores, predicted, actual, learned)


def test_an_export_has_the_rows_that_were_written(written: Written, tmp_path: Path) -> None:
    store, classes = written.log.store, np.array(MODEL.classes)
    for kind in ("parquet", "jsonl"):
        export(store, Selection("m", batch_rows=77), tmp_path / kind, kind, with_labels=True)
    table = pq.read_table(tmp_path / "parquet").to_pydict()
    lines = [json.loads(line) for line in (tmp_path / "jsonl").read_text().splitlines()]
    for name, values in {
        "prediction_id": written.ids,
        "score": written.scores.tolist(),
        "prediction": classes[written.predicted.astype(np.int64)].tolist(),
        "label": classes[written.actual].tolist(),
    }.items():
        assert table[name] == values, name
        assert [line[name] for line in lines] == values, name
    for index, name in enumerate(("age", "flag", "city")):
        assert table[name] == written.features[:, index].tolist()
        assert [line["features"][name] for line in lines] == written.features[:, index].tolist()


def test_a_baseline_is_learned_from_the_rows_that_were_written(written: Written) -> None:
    batches = written.log.store.read(Selection("m", batch_rows=77))
    learned = learn_baseline(BASELINE, batches, "2026-01-01T00:00:00Z")
    assert (learned.baseline.rows, learned.left_out) == (PARTS * PART_ROWS, 0)
    age = learned.baseline.columns[learned.baseline.names.index("age")]
    assert age.mean == pytest.approx(written.features[:, 0].mean(), abs=1e-3)
    assert dumps(learned.baseline) == written.learned_live


def test_performance_is_that_of_the_rows_that_were_written(written: Written) -> None:
    report = evaluated(monitor_of(written.log, segments=("flag",)), START + 5 * DAY).report
    assert report is not None
    is_right = written.predicted == written.actual
    assert report.windows["500"].metrics["accuracy"].value == pytest.approx(is_right[-500:].mean())
    assert report.windows["1000"].cohort.rows == len(is_right)
    assert report.windows["1000"].metrics["accuracy"].value == pytest.approx(is_right.mean())
    assert {own.segment[0] for own in report.segments} == {"flag"}
    assert {own.segment[1] for own in report.segments} == {"0", "1"}
    for own in report.segments:
        expected = is_right[written.features[:, 1] == int(own.segment[1])]
        assert own.rows == len(expected)
        assert own.metrics["accuracy"].value == pytest.approx(expected.mean())
