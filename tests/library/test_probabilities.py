"""The probabilities of several classes in a program of one's own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from driftgauge import Monitor, Refused, create_baseline
from driftgauge.drift.bins import FloatArray
from driftgauge.library.probabilities import probabilities_of
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import PredictionBatch
from driftgauge.predictions.store import PredictionStore
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tests.examples import Example
from tests.library.watching import evaluated

TWO = np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]])
NAMES = ("a", "b", "c")


def logged(folder: Path, name: str = "model") -> PredictionBatch:
    store = PredictionStore.open(folder)
    (batch,) = store.read(Selection(name, with_probabilities=True))
    store.close()
    return batch


@pytest.mark.parametrize(
    "given",
    [
        dict(zip(NAMES, TWO.T, strict=True)),
        dict(zip(np.array(NAMES), TWO.T.tolist(), strict=True)),
        pd.DataFrame(TWO, columns=list(NAMES)),
        pa.table(dict(zip(NAMES, TWO.T, strict=True))),
        [dict(zip(NAMES, row, strict=True)) for row in TWO.tolist()],
        TWO,
        TWO.tolist(),
    ],
    ids=["columns", "numpy names", "frame", "table", "dicts", "array", "lists"],
)
def test_every_form_gives_the_same(given: Any) -> None:
    found = probabilities_of(given, NAMES)
    assert np.array_equal(found.of(["c", "a"]), TWO[:, [2, 0]])
    assert found.predicted == ["a", "c"]
    assert found.score.tolist() == [0.7, 0.5]
    assert not found.is_single


def test_a_single_row_is_a_dict_or_a_list() -> None:
    for given in ({"a": 0.5, "b": 0.25, "c": 0.25}, np.array([0.5, 0.25, 0.25]), [0.5, 0.25, 0.25]):
        found = probabilities_of(given, NAMES)
        assert (found.score, found.predicted, found.values.shape) == (0.5, "a", (1, 3))


def test_a_row_with_an_unknown_probability_has_no_class() -> None:
    found = probabilities_of([{"a": 0.5, "b": None}, {"a": 0.5, "b": 0.5}], None)
    assert found.predicted == [None, "a"]
    assert np.isnan(found.score[0])


@pytest.mark.parametrize(
    ("given", "order", "message"),
    [
        (TWO, None, "the baseline does not say the order of the classes: give them by class, such as dict"),
        (TWO[:, :2], NAMES, r"they have shape \(2, 2\): give 3 for each row"),
        ({"a": [0.5, 0.5], "b": [0.5]}, None, "the classes have values of different lengths"),
        ([{"a": 0.5}, {"b": 0.5}], None, "the rows have different classes"),
        ({"a": 1.5, "b": -0.5}, None, "a value is not between 0 and 1"),
        ({"a": float("inf"), "b": 0.0}, None, "a value is not between 0 and 1"),
        ({"a": "much", "b": 0.5}, None, "a value is no number"),
        ({"1": 0.5, 1: 0.5}, None, "the classes are 1, 1: give each class once"),
        ({}, None, "the classes are"),
        ("half", NAMES, "a value is no number"),
    ],
)
def test_what_cannot_be_read_is_refused(given: Any, order: Any, message: str) -> None:
    with pytest.raises(Refused, match=f"^probabilities: {message}"):
        probabilities_of(given, order)


def training() -> tuple[FloatArray, Any, LogisticRegression]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 2))
    y = np.array(["rare", "some", "many"])[np.digitize(x[:, 0] + rng.normal(size=900), [-1.0, 0.0])]
    return x, y, LogisticRegression().fit(x, y)


def test_the_log_keeps_them_by_class_and_derives_score_and_class(tmp_path: Path) -> None:
    x, _, model = training()
    proba = model.predict_proba(x)
    table = {"p": x[:, 0], "q": x[:, 1], "prediction": proba.max(axis=1), "prediction_class": model.predict(x)}
    with Monitor.open(create_baseline(table), state_dir=tmp_path, on_error="raise") as monitor:
        given = dict(zip(model.classes_, proba.T, strict=True))
        monitor.observe(x, probabilities=given, ids=[str(row) for row in range(900)])
        monitor.observe(x[0], prediction=0.5, prediction_class="many", ids="without")
        one = dict(zip(model.classes_, proba[0], strict=True))
        monitor.observe({"p": x[0, 0], "q": x[0, 1]}, probabilities=one, ids="one")
    batch = logged(tmp_path)
    ((version, own),) = batch.models.items()
    order = [batch.ids.index(str(row)) for row in range(900)]
    columns = [list(model.classes_).index(label) for label in own.classes]
    assert batch.probabilities[version][order] == pytest.approx(proba[:, columns], abs=1e-7)
    assert [own.classes[int(code)] for code in batch.predictions[order]] == model.predict(x).tolist()
    assert np.array_equal(batch.scores[order], proba.max(axis=1))
    assert np.isnan(batch.probabilities[version][batch.ids.index("without")]).all()
    assert batch.probabilities[version][batch.ids.index("one")] == pytest.approx(proba[0, columns], abs=1e-7)


def test_a_bundle_knows_their_order(multiclass: Example, tmp_path: Path) -> None:
    proba = multiclass.estimator.predict_proba(multiclass.inputs(multiclass.held_out))
    with Monitor.open(multiclass.folder, state_dir=tmp_path, on_error="raise") as monitor:
        ids = [f"row {row}" for row in range(len(proba))]
        monitor.observe(multiclass.held_out, probabilities=proba, ids=ids)
    batch = logged(tmp_path, multiclass.bundle.info.name)
    ((version, own),) = batch.models.items()
    places = [[str(label) for label in multiclass.bundle.info.classes].index(str(label)) for label in own.classes]
    order = [batch.ids.index(id_) for id_ in ids]
    assert batch.probabilities[version][order] == pytest.approx(proba[:, places], abs=1e-7)


def test_the_score_of_a_binary_model_is_the_probability_of_its_positive_class(binary: Example, tmp_path: Path) -> None:
    proba, classes = binary.estimator.predict_proba(binary.inputs(binary.held_out)), binary.bundle.info.classes
    by_class = dict(zip(reversed(classes), proba.T[::-1], strict=True))
    first = binary.held_out.iloc[0].to_dict()
    with Monitor.open(binary.folder, state_dir=tmp_path, on_error="raise") as monitor:
        for name, given in (("array", proba), ("by class", by_class)):
            monitor.observe(binary.held_out, probabilities=given, ids=[f"{name} {row}" for row in range(len(proba))])
        monitor.observe(first, probabilities=dict(zip(classes, proba[0], strict=True)), ids="one")
        with pytest.raises(Refused, match=f"probabilities: {classes[1]} is absent"):
            monitor.observe(first, probabilities={str(classes[0]): 0.25, "other": 0.75})
    batch = logged(tmp_path, binary.bundle.info.name)
    for name in ("array", "by class"):
        order = [batch.ids.index(f"{name} {row}") for row in range(len(proba))]
        assert batch.scores[order] == pytest.approx(proba[:, 1])
    assert batch.scores[batch.ids.index("one")] == pytest.approx(proba[0, 1])


def test_a_baseline_alone_does_not_say_which_of_two_classes_is_the_positive_one() -> None:
    x = np.random.default_rng(0).random(900)
    with Monitor.open(create_baseline({"p": x, "prediction": x}), on_error="raise") as monitor:
        with pytest.raises(Refused, match=r"positive one: give prediction=… \(the probability of the positive class\)"):
            monitor.observe([{"p": 0.5}], probabilities={"no": [0.75], "yes": [0.25]})
        monitor.observe([{"p": 0.5}], prediction=[0.25], probabilities={"no": [0.75], "yes": [0.25]})
        assert monitor.report().rows_observed == 1
    with Monitor.open(create_baseline({"p": x}), on_error="raise") as monitor:
        monitor.observe([{"p": 0.5}], probabilities={"no": [0.75], "yes": [0.25]})
        assert monitor.report().rows_observed == 1


def test_rows_without_all_classes_or_of_another_number_are_refused_and_not_counted(
    multiclass: Example, tmp_path: Path
) -> None:
    rows = multiclass.held_out.iloc[:2]
    first, *rest = multiclass.bundle.info.classes
    with Monitor.open(multiclass.folder, state_dir=tmp_path, on_error="raise") as monitor:
        with pytest.raises(Refused, match=f"probabilities: {first} is absent"):
            monitor.observe(rows, probabilities={own: [0.5, 0.5] for own in rest}, ids=["a", "b"])
        with pytest.raises(Refused, match="probabilities: they are of 1 rows, but there are 2 rows"):
            monitor.observe(
                rows, prediction=[0.5, 0.5], prediction_class=[first] * 2, probabilities=[[0.5, 0.25, 0.25]]
            )
        assert monitor.report().rows_observed == 0


def test_ground_truth_gives_the_log_loss_of_scikit_learn(tmp_path: Path) -> None:
    x, y, model = training()
    proba = model.predict_proba(x)
    table = {"p": x[:, 0], "q": x[:, 1], "prediction": proba.max(axis=1), "prediction_class": model.predict(x)}
    options: dict[str, Any] = {"label_maturity_seconds": 0.0, "windows": (1_000,)}
    baseline = create_baseline(table)
    with Monitor.open(baseline, state_dir=tmp_path, on_error="raise", **options) as monitor:
        ids = [str(index) for index in range(900)]
        monitor.label(ids, y)
        at = np.full(900, time.time() - 7_200.0)
        for some in np.array_split(np.arange(900), 3):
            given = dict(zip(model.classes_, proba[some].T, strict=True))
            monitor.observe(x[some], probabilities=given, ids=[ids[place] for place in some], at=at[some])
        own = evaluated(monitor)
        assert own.performance is not None
        found = own.performance.main_window.metrics["log_loss"]
        assert found.value == pytest.approx(log_loss(y, proba, labels=model.classes_), rel=1e-6)
        assert found.lower < found.value < found.upper
