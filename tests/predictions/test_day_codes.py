"""Predictions of one day as bin codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import BaselineError
from driftgauge.predictions.day_codes import day_codes
from driftgauge.predictions.description import Privacy, described
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore

from tests.monitors import small_baseline, some_rows

KNOWN = small_baseline()
DAY = 19_675
BEGIN = DAY * 86_400.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionStore]:
    store = PredictionStore.open(tmp_path)
    yield store
    store.close()


def write(log: PredictionStore, columns: FloatArray, begin: float, *, privacy: Privacy | None = None) -> None:
    """Log rows that are a second apart, with the scores in their last column."""
    version = log.register(described(KNOWN, "m", "1", "regression", privacy=privacy).model)
    times = ((begin + np.arange(len(columns))) * 1e6).astype(np.int64)
    log.write(
        [
            LoggedRows(
                version=version,
                keys=[key_of(f"{at}") for at in times.tolist()],
                arrival=times,
                time=times,
                scores=columns[:, -1].copy(),
                predictions=columns[:, -1].copy(),
                latency=np.full(len(columns), 300),
                features=columns[:, :-1].copy(),
            )
        ]
    )


def test_the_codes_are_those_of_the_days_rows(log: PredictionStore) -> None:
    columns = some_rows(5_000, seed=1)
    write(log, columns, BEGIN)
    write(log, columns, BEGIN - 5_000.0)
    write(log, columns, BEGIN + 86_400.0)
    found = day_codes(log, "m", KNOWN, DAY, 240_000)
    assert found.tolist() == KNOWN.binner.codes(columns).tolist()


def test_a_day_with_many_rows_gives_the_first_ones_of_each_hour(log: PredictionStore) -> None:
    columns = some_rows(7_200, seed=2)
    write(log, columns, BEGIN)
    found = day_codes(log, "m", KNOWN, DAY, 24 * 100)
    first, second = KNOWN.binner.codes(columns[:100]), KNOWN.binner.codes(columns[3_600:3_700])
    assert found.tolist() == np.concatenate([first, second]).tolist()


def test_a_day_without_rows_is_empty(log: PredictionStore) -> None:
    assert day_codes(log, "m", KNOWN, DAY, 1_000).shape == (0, 4)


def test_columns_that_are_not_logged_are_an_error(log: PredictionStore) -> None:
    write(log, some_rows(10), BEGIN, privacy=Privacy((), ("age",), b"key"))
    with pytest.raises(BaselineError, match="age: not logged as it is"):
        day_codes(log, "m", KNOWN, DAY, 1_000)
