from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import BaselineError
from driftgauge.models import baseline_file
from driftgauge.predictions.description import Privacy, described
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.learned_baseline import LearningOptions, learn_baseline, monitored_rows
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW

CREATED = "2026-01-01T00:00:00Z"
MINUTE = 60_000_000
CITIES = ("north", "south", "east", "hamlet")


def _known(rows: int = 3_000) -> Baseline:
    rng = np.random.default_rng(0)
    return build_baseline(
        {
            "age": rng.normal(40.0, 10.0, rows),
            "city": Categories(rng.choice(4, rows, p=[0.6, 0.3, 0.099, 0.001]), CITIES),
            "prediction": rng.random(rows),
            "prediction_class": Categories(rng.integers(0, 3, rows), ("a", "b", "c")),
        },
        created=CREATED,
    )


KNOWN = _known()


@pytest.fixture
def log(tmp_path: Path) -> PredictionStore:
    return PredictionStore.open(tmp_path)


def _columns(rows: int, seed: int) -> FloatArray:
    """Return ages about 60, cities by the codes of the baseline, and a score."""
    rng = np.random.default_rng(seed)
    ages = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(60.0, 5.0, rows))
    cities = KNOWN.bins[1].encode(rng.choice(np.array([*CITIES, "west"]), rows).tolist())
    return np.column_stack([ages, cities, rng.random(rows)])


def _write(
    log: PredictionStore,
    columns: FloatArray,
    baseline: Baseline = KNOWN,
    *,
    begin: int = 0,
    privacy: Privacy | None = None,
) -> None:
    version = log.register(described(baseline, "m", "1", "multiclass", classes=("a", "b", "c"), privacy=privacy).model)
    dropped = privacy.dropped if privacy else ()
    kept = [place for place, name in enumerate(("age", "city")) if name not in dropped]
    count = len(columns)
    times = NOW + MINUTE * (begin + np.arange(count, dtype=np.int64))
    log.write(
        [
            LoggedRows(
                version=version,
                keys=[key_of(f"{begin + row}") for row in range(count)],
                arrival=times,
                time=times,
                scores=columns[:, 2].copy(),
                predictions=np.arange(count, dtype=np.float64) % 3.0,
                latency=np.full(count, 300),
                features=columns[:, kept].copy(),
            )
        ]
    )


def _counts(baseline: Baseline, name: str) -> dict[str, float]:
    column = baseline.columns[baseline.names.index(name)]
    return dict(zip(column.bins.names, column.counts, strict=True))


def test_a_baseline_has_the_distribution_and_the_order_of_the_logged_rows(log: PredictionStore) -> None:
    columns = _columns(4_000, 1)
    _write(log, columns)
    learned = learn_baseline(KNOWN, log.read(Selection("m")), CREATED)
    baseline = learned.baseline
    assert baseline.names == KNOWN.names
    assert (baseline.rows, learned.left_out) == (4_000, 0)
    assert (learned.first, learned.last) == (NOW / 1e6, NOW / 1e6 + 60.0 * 3_999)
    assert baseline.columns[0].mean == pytest.approx(np.nanmean(columns[:, 0]), abs=1e-3)
    assert _counts(baseline, "age")["missing"] == np.isnan(columns[:, 0]).sum()
    assert _counts(baseline, "prediction_class")["a"] == 1_334
    assert all(column.tau is not None and column.expected_range for column in baseline.columns)
    assert baseline_file.loads(dumps(baseline)) == baseline


def test_damaged_rows_are_left_out(log: PredictionStore) -> None:
    _write(log, _columns(10, 1))
    (batch,) = log.read(Selection("m"))
    rows, others = monitored_rows(KNOWN, replace(batch, damaged=np.arange(10) < 3))
    assert (rows.at.tolist(), others) == ((batch.time[3:] / 1e6).tolist(), 3)


def test_categories_stay_those_of_the_known_baseline(log: PredictionStore) -> None:
    columns = _columns(4_000, 2)
    _write(log, columns)
    baseline = learn_baseline(KNOWN, log.read(Selection("m")), CREATED).baseline
    assert baseline.bins[1] == KNOWN.bins[1]
    assert _counts(baseline, "city")["north"] == (columns[:, 1] == KNOWN.bins[1].category_code("north")).sum()
    assert _counts(baseline, "city")["unseen"] == (columns[:, 1] == KNOWN.bins[1].category_code("west")).sum()


def test_a_baseline_by_hour_is_learned(log: PredictionStore) -> None:
    _write(log, _columns(8_000, 3))
    learned = learn_baseline(KNOWN, log.read(Selection("m")), CREATED, LearningOptions(by_hour=True))
    assert learned.baseline.is_by_hour


def test_of_too_many_rows_the_newest_are_taken(log: PredictionStore) -> None:
    _write(log, _columns(1_000, 4))
    batches = log.read(Selection("m", batch_rows=70))
    learned = learn_baseline(KNOWN, batches, CREATED, LearningOptions(most_rows=250))
    assert learned.baseline.rows == 250
    assert (learned.first, learned.last) == (NOW / 1e6 + 60.0 * 750, NOW / 1e6 + 60.0 * 999)


def test_rows_of_another_baseline_are_left_out(log: PredictionStore) -> None:
    _write(log, _columns(500, 5), _known(2_000))
    _write(log, _columns(300, 6), begin=500)
    learned = learn_baseline(KNOWN, log.read(Selection("m")), CREATED)
    assert (learned.baseline.rows, learned.left_out) == (300, 500)


@pytest.mark.parametrize(
    ("names", "message"), [((), "no predictions of this model"), (("500",), "500 were logged with another baseline")]
)
def test_a_log_without_such_rows_is_refused(log: PredictionStore, names: Sequence[str], message: str) -> None:
    if names:
        _write(log, _columns(500, 7), _known(2_000))
    with pytest.raises(BaselineError, match=message):
        learn_baseline(KNOWN, log.read(Selection("m")), CREATED)


def test_a_column_that_is_not_logged_is_named(log: PredictionStore) -> None:
    _write(log, _columns(300, 8), privacy=Privacy(dropped=("city",)))
    with pytest.raises(BaselineError, match=r"city: not logged .*prediction_log_drop"):
        learn_baseline(KNOWN, log.read(Selection("m")), CREATED)
