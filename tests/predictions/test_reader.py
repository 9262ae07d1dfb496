from __future__ import annotations

import itertools

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.chunk_reader import MOST_KEYS
from driftgauge.predictions.database import writing
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import Cursor
from driftgauge.predictions.schema import chunks
from driftgauge.predictions.store import PredictionStore
from sqlalchemy import delete

from tests.predictions.logs import NOW, model, rows

SECOND = 1_000_000


@pytest.fixture
def filled(store: PredictionStore) -> PredictionStore:
    """A log of two versions, whose rows alternate: a0 … a49 of version 1 and b0 … b49 of version 2, of other width."""
    first, second = store.register(model()), store.register(model(version="2", features=2))
    for turn in range(0, 50, 5):
        at = NOW + turn * SECOND
        store.write(
            [
                rows(first, [f"a{turn + row}" for row in range(5)], at=at, seed=turn),
                rows(second, [f"b{turn + row}" for row in range(5)], at=at + 500, features=2, seed=100 + turn),
            ]
        )
    return store


def _ids(store: PredictionStore, selection: Selection) -> list[str]:
    return [id_ for batch in store.read(selection) for id_ in batch.ids]


EXPECTED = [f"{version}{turn + row}" for turn in range(0, 50, 5) for row in range(5) for version in "ab"]


@pytest.mark.parametrize("batch_rows", [1, 7, 100, 1_000])
def test_predictions_come_in_the_order_of_their_time(filled: PredictionStore, batch_rows: int) -> None:
    batches = list(filled.read(Selection("m", batch_rows=batch_rows)))
    assert [id_ for batch in batches for id_ in batch.ids] == EXPECTED
    assert max(map(len, batches)) <= batch_rows


@pytest.mark.parametrize("batch_rows", [1, 7, 1_000])
def test_features_belong_to_their_rows(filled: PredictionStore, batch_rows: int) -> None:
    found: dict[str, FloatArray] = {}
    for batch in filled.read(Selection("m", batch_rows=batch_rows)):
        for version, values in batch.features.items():
            found |= dict(zip(np.array(batch.ids)[batch.rows_of(version)].tolist(), values, strict=True))
    for turn, row in itertools.product(range(0, 50, 5), range(5)):
        assert np.array_equal(found[f"a{turn + row}"], rows(1, ["x"] * 5, seed=turn).features[row])
        expected = rows(1, ["x"] * 5, features=2, seed=100 + turn).features[row]
        assert np.array_equal(found[f"b{turn + row}"], expected)


def test_a_version_is_read_alone(filled: PredictionStore) -> None:
    assert _ids(filled, Selection("m", version="2")) == [id_ for id_ in EXPECTED if id_[0] == "b"]
    assert _ids(filled, Selection("m", version="3")) == []
    assert _ids(filled, Selection("other")) == []


def test_a_range_of_time_holds_its_start_and_not_its_end(filled: PredictionStore) -> None:
    start = NOW / 1e6
    found = _ids(filled, Selection("m", since=start + 5.0, until=start + 10.0))
    assert found == [f"{version}{5 + row}" for row in range(5) for version in "ab"]
    assert _ids(filled, Selection("m", since=start + 5.0, until=start + 5.0)) == []


def test_reading_goes_on_after_a_cursor(filled: PredictionStore) -> None:
    first = next(filled.read(Selection("m", batch_rows=13)))
    assert first.ids + _ids(filled, Selection("m", after=first.cursor)) == EXPECTED


def test_rows_of_the_same_time_are_not_lost_between_batches(store: PredictionStore) -> None:
    version = store.register(model())
    for row in range(10):
        store.write([rows(version, [f"r{row}"])])
    assert _ids(store, Selection("m", batch_rows=3)) == [f"r{row}" for row in range(10)]
    assert _ids(store, Selection("m", after=Cursor(NOW, 10_000))) == []


def test_predictions_are_found_by_id(filled: PredictionStore) -> None:
    assert _ids(filled, Selection("m", keys=[key_of(id_) for id_ in ("b3", "a7", "nowhere")])) == ["b3", "a7"]
    assert _ids(filled, Selection("m", keys=[])) == []


def test_more_ids_than_a_query_takes_are_all_found(store: PredictionStore) -> None:
    version = store.register(model())
    ids = [f"r{row}" for row in range(2 * MOST_KEYS + 10)]
    store.write([rows(version, ids)])
    found = _ids(store, Selection("m", keys=[key_of(id_) for id_ in reversed(ids)], batch_rows=99))
    assert sorted(found) == sorted(ids)


def test_features_are_left_out_where_nobody_asks(filled: PredictionStore) -> None:
    assert all(batch.features == {} for batch in filled.read(Selection("m", with_features=False)))


def test_rows_whose_features_are_lost_are_still_read(filled: PredictionStore) -> None:
    with writing(filled.engine) as connection:
        connection.execute(delete(chunks).where(chunks.c.chunk == 1))
    batches = list(filled.read(Selection("m")))
    assert [id_ for batch in batches for id_ in batch.ids] == EXPECTED
    gone = [np.isnan(values).all(axis=1).sum() for batch in batches for values in batch.features.values()]
    assert sum(gone) == 5
