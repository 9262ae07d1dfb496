"""What evaluations of ground truth read and leave, in both databases."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.rows import MICROSECONDS
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.truth_store import TruthStore, class_indices

from tests.predictions.logs import NOW, model, rows

AT = NOW / MICROSECONDS


@pytest.fixture
def truth(store: PredictionStore) -> TruthStore:
    """The truth of a version with ten predictions, of which the even ones have a label."""
    version = store.register(model())
    store.write([rows(version, [str(index) for index in range(10)])])
    labels = LabelStore(store.engine, version)
    labels.add([GivenLabel(key_of(str(index)), float(index % 4 == 0)) for index in range(0, 10, 2)], AT + 60.0)
    return TruthStore(store.engine, "m", "1")


def test_predictions_are_joined_with_their_labels(truth: TruthStore) -> None:
    pages = list(truth.pages(AT - 1.0, AT + 1.0, with_features=True))
    assert [page.predicted for page in pages] == [10]
    (found,) = pages[0].rows
    assert found.actual.tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]
    assert found.time.tolist() == pytest.approx([AT + 0.002 * index for index in range(5)])
    assert found.lag.tolist() == pytest.approx([60.0 - 0.002 * index for index in range(5)])
    assert found.features is not None
    assert found.features.shape == (5, 3)


def test_the_newest_labels_come_oldest_first(truth: TruthStore) -> None:
    (found,) = truth.newest(AT + 1.0, 3)
    assert found.time.tolist() == pytest.approx([AT + 0.004, AT + 0.006, AT + 0.008])
    assert len(truth.newest(AT + 0.003, 3)[0]) == 2
    assert truth.newest(AT, 3) == []


def test_predictions_are_counted_and_found_by_time(truth: TruthStore) -> None:
    assert truth.count(AT, AT + 0.005) == 5
    assert truth.newest_prediction() == pytest.approx(AT + 0.009)
    assert truth.next_prediction(AT + 0.0041) == pytest.approx(AT + 0.005)
    assert truth.next_prediction(AT + 1.0) is None


def test_changed_labels_are_found_once(truth: TruthStore) -> None:
    times, last = truth.changed_since(0)
    assert len(times) == 5
    assert truth.changed_since(last) == ([], last)


def test_one_owner_evaluates_until_its_time_is_over(truth: TruthStore) -> None:
    assert truth.acquire("one", AT, 10.0)
    assert truth.acquire("one", AT, 10.0)
    assert not truth.acquire("two", AT + 9.0, 10.0)
    assert truth.acquire("two", AT + 11.0, 10.0)
    assert not truth.save("one", "late", ())
    truth.release("two")
    assert truth.acquire("one", AT + 12.0, 10.0)


def test_a_turn_far_in_the_future_is_not_waited_for(truth: TruthStore) -> None:
    assert truth.acquire("ahead", AT + 1e6, 10.0)
    assert truth.acquire("one", AT, 10.0)


def test_state_and_cohorts_are_kept_and_replaced(truth: TruthStore) -> None:
    assert (truth.state(), truth.cohorts()) == ("", [])
    truth.acquire("one", AT, 10.0)
    assert truth.save("one", "first", [(0.0, b"a"), (3_600.0, b"b")])
    assert truth.save("one", "second", [(3_600.0, b"c")])
    assert (truth.state(), truth.cohorts()) == ("second", [b"a", b"c"])
    assert truth.cohorts(since=1.0) == [b"c"]
    assert truth.cohorts(until=3_600.0) == [b"a"]


def test_an_unknown_class_has_no_index() -> None:
    assert class_indices(np.array([0.0, np.nan, 2.0])).tolist() == [0, -1, 2]
