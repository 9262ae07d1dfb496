"""The probabilities of several classes, in both databases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.counts import CountLayout, LabelledRows
from driftgauge.drift.performance.metrics import count, measure
from driftgauge.predictions.class_probabilities import MOST_CLASSES, are_kept
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.database import reading
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.pages import read_page
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.recorder import Kept, ModelRecorder, merged
from driftgauge.predictions.retention import Limits, retain, used_bytes
from driftgauge.predictions.rows import MICROSECONDS, LoggedModel, LoggedRows
from driftgauge.predictions.schema import class_probabilities
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.truth_store import TruthStore, class_indices
from sklearn.metrics import log_loss
from sqlalchemy import func, select

from tests.predictions.logs import NOW, Counted, answers, model, rows

AT = NOW / MICROSECONDS
SEVERAL = model(classes=("a", "b", "c"))


def probable(count: int, seed: int = 0, classes: int = 3) -> FloatArray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), count)


def labelled(store: PredictionStore, ids: list[str], actual: list[int]) -> TruthStore:
    version = store.register(SEVERAL)
    labels = [GivenLabel(key_of(id_), float(value)) for id_, value in zip(ids, actual, strict=True)]
    LabelStore(store.engine, version).add(labels, AT + 60.0)
    return TruthStore(store.engine, "m", "1")


def written(store: PredictionStore, ids: list[str], given: FloatArray | None, seed: int = 0) -> None:
    own = replace(rows(store.register(SEVERAL), ids, seed=seed), probabilities=given)
    store.write([own if given is None else replace(own, predictions=given.argmax(axis=1).astype(np.float64))])


def kept(store: PredictionStore) -> int:
    with reading(store.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(class_probabilities)).scalar_one())


def test_the_log_loss_of_logged_predictions_is_that_of_scikit_learn(store: PredictionStore) -> None:
    ids, given = [str(index) for index in range(1_200)], probable(1_200)
    written(store, ids[:700], given[:700])
    written(store, ids[700:], given[700:])
    actual = np.random.default_rng(1).integers(0, 3, 1_200).tolist()
    truth = labelled(store, ids, actual)
    (page,) = truth.pages(AT - 1.0, AT + 10.0, with_features=False)
    for found in (page.rows[0], truth.newest(AT + 10.0, 5_000)[0]):
        labels = LabelledRows(found.scores, found.actual, class_indices(found.predicted), found.probabilities)
        value = measure(count(CountLayout.of("multiclass", 3), labels))["log_loss"]
        assert value.value == pytest.approx(log_loss(actual, given, labels=[0, 1, 2]), rel=1e-5)
        assert value.lower < value.value < value.upper


def test_rows_that_were_logged_before_count_for_what_they_have(store: PredictionStore) -> None:
    written(store, ["a", "b"], None)
    given = probable(2)
    written(store, ["c", "d"], given, seed=1)
    (found,) = labelled(store, ["a", "b", "c"], [0, 1, 2]).newest(AT + 10.0, 10)
    assert found.probabilities is not None
    known = found.probabilities[~np.isnan(found.probabilities)]
    assert known.tolist() == pytest.approx([given[0, 2]])


def test_rows_of_one_chunk_may_lack_probabilities(store: PredictionStore) -> None:
    version, given = store.register(SEVERAL), probable(1)
    parts = [rows(version, ["a"]), replace(rows(version, ["b"]), probabilities=given)]
    store.write(parts)
    (found,) = labelled(store, ["a", "b"], [0, 1]).newest(AT + 10.0, 10)
    assert found.probabilities is not None
    assert np.nanmin(found.probabilities) == pytest.approx(given[0, 1])
    assert np.isnan(found.probabilities).sum() == 1


def test_a_class_that_the_model_does_not_have_has_no_probability(store: PredictionStore) -> None:
    written(store, ["a"], probable(1))
    (found,) = labelled(store, ["a"], [-1]).newest(AT + 10.0, 10)
    assert found.probabilities is not None
    assert np.isnan(found.probabilities).all()


def test_probabilities_outlive_the_chunks_that_are_moved_into_files_and_go_with_their_predictions(
    store: PredictionStore,
) -> None:
    given = probable(2)
    written(store, ["a", "b"], given)
    while compact(store.engine, AT + 3 * 86_400.0):
        pass
    truth = labelled(store, ["a", "b"], [1, 1])
    assert truth.newest(AT + 10.0, 10)[0].probabilities == pytest.approx(given[:, 1])
    before = used_bytes(store.engine)
    retain(store.engine, Limits(86_400.0, 1 << 40), AT + 3 * 86_400.0)
    assert kept(store) == 0
    assert used_bytes(store.engine) <= before


@pytest.mark.parametrize("is_compacted", [False, True])
def test_readings_have_them_by_class_where_they_are_known(store: PredictionStore, *, is_compacted: bool) -> None:
    given = probable(5)
    written(store, ["a", "b", "c", "d", "e"], given)
    written(store, ["f"], None)
    two = store.register(model(version="2"))
    store.write([rows(two, ["g"], at=NOW + MICROSECONDS)])
    while is_compacted and compact(store.engine, AT + 3 * 86_400.0):
        pass
    page = read_page(store, Selection("m"), 100, with_labels=False)
    found = {own["prediction_id"]: own["probabilities"] for own in page.predictions}
    assert (found.pop("f"), found.pop("g")) == (None, None)
    single = given.astype(np.float32).astype(np.float64).tolist()
    assert found == {id_: dict(zip("abc", single[row], strict=True)) for row, id_ in enumerate("abcde")}


def test_readings_do_not_read_them_unasked(store: PredictionStore) -> None:
    written(store, ["a"], probable(1))
    (batch,) = store.read(Selection("m"))
    assert batch.probabilities == {}


def test_batches_of_calls_with_and_without_them_are_merged() -> None:
    given = probable(2)
    batches = [answers(["x"]), replace(answers(["y", "z"]), probabilities=given)]
    found = ModelRecorder(SEVERAL, Kept((0, 1, 2)), Counted()).prepared(1, merged(batches)).probabilities
    assert found is not None
    assert np.array_equal(found, [[np.nan] * 3, *given], equal_nan=True)


def test_newer_probabilities_are_kept(store: PredictionStore) -> None:
    written(store, ["a"], probable(1))
    version = store.register(SEVERAL)
    store.write([replace(rows(version, ["b"], at=NOW + 5 * 86_400 * MICROSECONDS), probabilities=probable(1))])
    retain(store.engine, Limits(86_400.0, 1 << 40), AT + 5 * 86_400.0)
    assert kept(store) == 1


def recorded(own: LoggedModel, classes: int) -> LoggedRows:
    batches = [replace(answers([id_]), probabilities=probable(1, classes=classes)) for id_ in ("x", "y")]
    return ModelRecorder(own, Kept((0, 1, 2)), Counted()).prepared(1, merged(batches))


def test_probabilities_are_logged_of_several_classes_alone(store: PredictionStore) -> None:
    several, two = recorded(SEVERAL, 3), recorded(model(), 2)
    assert several.probabilities is not None
    assert several.probabilities.shape == (2, 3)
    assert two.probabilities is None
    store.write([replace(two, version=store.register(model()))])
    assert kept(store) == 0


@pytest.mark.parametrize(("classes", "expected"), [(0, False), (2, False), (3, True), (64, True), (65, False)])
def test_probabilities_of_many_classes_are_not_kept(classes: int, expected: bool) -> None:
    assert MOST_CLASSES == 64
    assert are_kept(classes) is expected


def test_a_sample_keeps_the_probabilities_of_its_rows() -> None:
    ids = [f"row-{index}" for index in range(200)]
    own = replace(answers(ids), probabilities=probable(200))
    found = ModelRecorder(SEVERAL, Kept((0, 1, 2)), Counted(), sample=0.5).prepared(1, own)
    assert found.probabilities is not None
    chosen = [ids.index(id_) for id_ in ids if key_of(id_) in set(found.keys)]
    assert 0 < len(chosen) < 200
    assert own.probabilities is not None
    assert np.array_equal(found.probabilities, own.probabilities[chosen])
