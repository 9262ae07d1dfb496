from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

import pytest
from driftgauge.drift.performance.outcomes import STRETCHES, OutcomeSums, Stretches
from driftgauge.predictions import label_store
from driftgauge.predictions.ids import is_sampled, key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import Fate, GivenLabel, LabelTally
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW, model, rows

AT = NOW / 1e6 + 3_600.0
"""An hour after the predictions, seconds since 1970."""
WAIT = 600.0
ALL = (0.0, AT + 1e6)


def opened(store: PredictionStore, ids: Sequence[str] = (), sample_ratio: float = 1.0) -> LabelStore:
    """Return the labels of a model that has predicted these ids, a millisecond apart."""
    version = store.register(model())
    if ids:
        store.write([rows(version, ids)])
    return LabelStore(store.engine, version, sample_ratio)


def labels(ids: Sequence[str], value: float = 1.0, outcome: str = "") -> list[GivenLabel]:
    return [GivenLabel(key_of(id_), value, outcome=outcome) for id_ in ids]


def fates(tally: LabelTally) -> dict[str, int]:
    return {str(fate): count for fate, count in tally.fates.items()}


def test_labels_of_logged_predictions_match_and_are_read_in_their_order(store: PredictionStore) -> None:
    truth = opened(store, ["a", "b", "c"])
    tally = truth.add([*labels(["c"], 0.0), *labels(["a"])], AT)
    assert fates(tally) == {"matched": 2}
    found = truth.read(*ALL)
    assert found.seq.tolist() == [1, 3]
    assert found.value.tolist() == [1.0, 0.0]
    assert found.time.tolist() == [NOW, NOW + 2_000]
    assert found.observed.tolist() == [AT * 1e6] * 2
    assert tally.lags == pytest.approx([3_600.0 - 0.002, 3_600.0])


def test_the_time_at_which_a_label_became_known_gives_its_lag(store: PredictionStore) -> None:
    truth = opened(store, ["a"])
    tally = truth.add([GivenLabel(key_of("a"), 1.0, observed=NOW + 90_000_000)], AT)
    assert tally.lags == [90.0]


def test_a_label_that_was_known_before_its_prediction_has_no_negative_lag(store: PredictionStore) -> None:
    truth = opened(store, ["a"])
    tally = truth.add([GivenLabel(key_of("a"), 1.0, observed=NOW - 90_000_000)], AT)
    assert tally.lags == [0.0]


def test_the_same_again_changes_nothing_and_a_correction_replaces(store: PredictionStore) -> None:
    truth = opened(store, ["a", "b"])
    truth.add(labels(["a", "b"]), AT)
    before = truth.read(*ALL)
    assert fates(truth.add(labels(["a", "b"]), AT + 5)) == {"repeated": 2}
    assert truth.read(*ALL).observed.tolist() == before.observed.tolist()
    assert fates(truth.add(labels(["a", "b", "a"], 0.0), AT + 5)) == {"corrected": 2, "repeated": 1}
    assert truth.read(*ALL).value.tolist() == [0.0, 0.0]


def test_a_label_waits_for_its_prediction_and_is_joined_once(store: PredictionStore) -> None:
    truth = opened(store)
    assert fates(truth.add(labels(["a", "b"]), AT)) == {"waiting": 2}
    assert truth.facts().waiting == 2
    assert len(truth.read(*ALL)) == 0
    assert fates(truth.settle(AT + 1, WAIT)) == {}
    opened(store, ["b"])
    tally = truth.settle(AT + 1, WAIT)
    assert fates(tally) == {"matched": 1}
    assert tally.lags == [3_600.0]
    assert truth.read(*ALL).value.tolist() == [1.0]
    assert fates(truth.settle(AT + 2, WAIT)) == {}


def test_a_label_that_waited_too_long_is_an_orphan(store: PredictionStore) -> None:
    truth = opened(store)
    truth.add(labels(["a", "b"]), AT)
    truth.add(labels(["c"]), AT + 500)
    assert fates(truth.settle(AT + WAIT - 1, WAIT)) == {}
    assert fates(truth.settle(AT + WAIT + 1, WAIT)) == {"orphan": 2}
    assert truth.facts().waiting == 1
    assert fates(truth.add(labels(["a"]), AT + WAIT + 2)) == {"waiting": 1}


def test_labels_without_room_to_wait_are_orphans(store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_store, "MOST_WAITING", 3)
    truth = opened(store, ["known"])
    tally = truth.add(labels([*"abcde", "known"]), AT)
    assert fates(tally) == {"waiting": 3, "orphan": 2, "matched": 1}
    assert truth.facts().waiting == 3


def test_labels_outside_the_sample_are_told_apart(store: PredictionStore) -> None:
    ids = [str(number) for number in range(200)]
    kept = [id_ for id_ in ids if is_sampled(key_of(id_), 0.25)]
    truth = opened(store, kept[:10], sample_ratio=0.25)
    assert fates(truth.add(labels(ids), AT)) == {
        "matched": 10,
        "waiting": len(kept) - 10,
        "not_sampled": 200 - len(kept),
    }


def test_a_prediction_outside_the_sample_that_is_logged_matches(store: PredictionStore) -> None:
    truth = opened(store, ["a"], sample_ratio=0.0)
    assert fates(truth.add(labels(["a", "b"]), AT)) == {"matched": 1, "not_sampled": 1}


def test_outcomes_are_kept_beside_the_label(store: PredictionStore) -> None:
    truth = opened(store, ["a", "b"])
    given = [*labels(["a"]), *labels(["a", "b"], 12.5, "revenue"), *labels(["z"], 1.0, "click")]
    tally = truth.add(given, AT)
    assert fates(tally) == {"matched": 1}
    assert dict(tally.outcome_fates) == {"matched": 2, "waiting": 1}
    assert truth.read(*ALL, outcome="revenue").value.tolist() == [12.5, 12.5]
    assert dict(truth.settle(AT + WAIT + 1, WAIT).outcome_fates) == {"orphan": 1}


def test_a_later_version_labels_what_an_earlier_one_predicted(store: PredictionStore) -> None:
    opened(store, ["a"])
    later = store.register(model(version="2", classes=("yes", "no")))
    truth = LabelStore(store.engine, later)
    assert fates(truth.add([GivenLabel(key_of(id_), 0.0) for id_ in ("a", "b")], AT)) == {"matched": 1, "waiting": 1}
    opened(store, ["b"])
    truth.settle(AT, WAIT)
    found = truth.read(*ALL)
    assert found.value.tolist() == [1.0, 1.0]  # "yes" of version 1
    assert set(found.version.tolist()) == {1}


def test_models_do_not_see_each_other(store: PredictionStore) -> None:
    truth = opened(store, ["a"])
    other = LabelStore(store.engine, store.register(model("other")))
    assert fates(other.add(labels(["a"]), AT)) == {"waiting": 1}
    assert fates(truth.settle(AT, WAIT)) == {}
    assert (truth.facts().waiting, truth.facts().last_received) == (0, None)
    assert (other.facts().waiting, other.facts().last_received) == (1, AT)


def test_a_range_of_time_is_read_without_its_end(store: PredictionStore) -> None:
    truth = opened(store, ["a", "b", "c"])
    truth.add(labels(["a", "b", "c"]), AT)
    begin = NOW / 1e6
    assert truth.read(begin, begin + 0.002).seq.tolist() == [1, 2]
    assert truth.read(begin + 0.001, begin + 0.002).seq.tolist() == [2]


def test_labels_of_predictions_that_are_gone_are_forgotten(store: PredictionStore) -> None:
    truth = opened(store, ["a", "b", "c"])
    truth.add(labels(["a", "b", "c", "z"]), AT)
    assert truth.forget() == 0
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM predictions WHERE seq < 3")
    assert truth.forget() == 2
    assert truth.forget() == 0
    assert truth.read(*ALL).seq.tolist() == [3]
    assert truth.facts().waiting == 1


def test_many_labels_are_stored_and_settled_in_bounded_steps(
    store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_store, "SETTLED_ROWS", 1_000)
    ids = [f"prediction-{number}" for number in range(2_500)]
    truth = opened(store)
    assert fates(truth.add(labels(ids), AT)) == {"waiting": 2_500}
    opened(store, ids)
    steps = [fates(truth.settle(AT, WAIT)) for _ in range(4)]
    assert steps == [{"matched": 1_000}, {"matched": 1_000}, {"matched": 500}, {}]


def test_writers_at_the_same_time_count_each_label_once(store: PredictionStore) -> None:
    ids = [f"prediction-{number}" for number in range(300)]
    version = store.register(model())
    store.write([rows(version, ids[:150])])
    found: list[LabelTally] = []

    def write(start: int) -> None:
        truth = LabelStore(store.engine, version)
        for first in range(0, 300, 50):
            begin = (start * 50 + first) % 300
            found.append(truth.add(labels(ids[begin : begin + 50]), AT))

    threads = [threading.Thread(target=write, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = sum((tally.fates for tally in found), Counter[Fate]())
    assert together == {Fate.MATCHED: 150, Fate.WAITING: 150, Fate.REPEATED: 900}


def test_nothing_given_is_nothing_done(store: PredictionStore) -> None:
    truth = opened(store)
    assert truth.add([], AT) == LabelTally()
    assert truth.facts().last_received is None


def whole(versions: Mapping[str, Stretches]) -> dict[str, OutcomeSums]:
    return {version: reduce(add, stretches) for version, stretches in versions.items()}


def test_outcomes_of_a_span_of_time_are_summed_up(store: PredictionStore) -> None:
    truth = opened(store, ["a", "b", "c", "d"])
    truth.add([*labels(["a"], 2.0, "revenue"), *labels(["b", "d"], 3.0, "revenue"), *labels(["a"])], AT)
    begin = NOW / 1e6
    assert whole(truth.outcome_sums("revenue", begin, begin + 0.003)) == {"1": OutcomeSums(2, 5.0, 13.0, 3)}
    assert whole(truth.outcome_sums("revenue", *ALL)) == {"1": OutcomeSums(3, 8.0, 22.0, 4)}
    assert whole(truth.outcome_sums("click", *ALL)) == {"1": OutcomeSums(predictions=4)}


def test_outcomes_are_summed_up_by_the_stretches_of_their_time(store: PredictionStore) -> None:
    truth = opened(store, ["a", "b", "c", "d"])  # a millisecond apart
    truth.add(labels(["a", "d"], 2.0, "revenue"), AT)
    begin = NOW / 1e6
    (found,) = truth.outcome_sums("revenue", begin, begin + STRETCHES / 1e3).values()
    filled = [OutcomeSums(1, 2.0, 4.0, 1), *[OutcomeSums(predictions=1)] * 2, OutcomeSums(1, 2.0, 4.0, 1)]
    assert found == [*filled, *[OutcomeSums()] * (STRETCHES - 4)]
    (ending,) = truth.outcome_sums("revenue", begin - (STRETCHES - 4) / 1e3, begin + 0.004).values()
    assert ending == [*[OutcomeSums()] * (STRETCHES - 4), *filled]
    assert whole(truth.outcome_sums("revenue", begin, begin + 3e-6)) == {"1": OutcomeSums(1, 2.0, 4.0, 1)}


def test_outcomes_are_summed_up_by_the_version_that_predicted(store: PredictionStore) -> None:
    opened(store, ["a", "b"])
    later = store.register(model(version="2"))
    store.write([rows(later, ["c"])])
    truth = LabelStore(store.engine, later)
    truth.add(labels(["a", "c"], 2.0, "revenue"), AT)
    found = whole(truth.outcome_sums("revenue", *ALL))
    assert found == {"1": OutcomeSums(1, 2.0, 4.0, 2), "2": OutcomeSums(1, 2.0, 4.0, 1)}
