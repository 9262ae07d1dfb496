from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.common.quoting import shortened
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.errors import BundleError, ModelFailed, Reason, Refused
from driftgauge.models.bundle import Bundle, Sample
from driftgauge.models.predictor import Batch, Predictor, check_samples, verify

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example

CLASSIFIERS = [name for name in MAKERS if name != "regression"]


class Answering:
    """A model that answers what it is told to, or raises it."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def predict_proba(self, x: Any) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return np.resize(np.asarray(self._answer, dtype=float), (len(x), np.shape(self._answer)[-1]))

    def predict(self, x: Any) -> Any:
        return self.predict_proba(x)[:, 0]


def with_model(example: Example, model: Any) -> Bundle:
    return replace(example.bundle, model=model)


def predictor_of(example: Example) -> Predictor:
    return Predictor(example.bundle)


# ---------------------------------------------------------------- what is answered


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_answers_as_the_estimator_itself(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    answer = predictor_of(example).predict(example.batch(example.rows()))  # a warning is an error here
    inputs = example.inputs(example.held_out)
    probabilities = example.estimator.predict_proba(inputs)
    expected = probabilities.max(axis=1) if name == "multiclass" else probabilities[:, 1]
    assert np.allclose(answer.scores, expected, rtol=1e-12, atol=0)
    assert list(answer.labels) == example.estimator.predict(inputs).tolist()
    if name == "multiclass":
        assert answer.probabilities is not None
        assert np.allclose(answer.probabilities, probabilities, rtol=1e-12, atol=0)
    else:
        assert answer.probabilities is None


def test_a_regression_answers_as_the_estimator_itself(regression: Example) -> None:
    answer = predictor_of(regression).predict(regression.batch(regression.rows()))
    expected = regression.estimator.predict(regression.held_out)
    assert np.allclose(answer.scores, expected, rtol=1e-12, atol=0)
    assert list(answer.labels) == answer.scores.tolist()


@pytest.mark.parametrize("name", MAKERS)
def test_a_row_is_answered_alike_alone_and_among_others(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    predictor = predictor_of(example)
    together = predictor.predict(example.batch(example.rows(20)))
    alone = [predictor.predict(example.batch([row])) for row in example.rows(20)]
    assert np.allclose(np.concatenate([one.scores for one in alone]), together.scores, rtol=1e-12)
    assert np.allclose(np.concatenate([one.columns for one in alone]), together.columns, rtol=1e-12, equal_nan=True)
    if name != "regression":
        assert [one.labels[0] for one in alone] == list(together.labels)


@pytest.mark.parametrize(("name", "numeric"), [("tolerant", "mean area"), ("category", "radius"), ("coded", "radius")])
def test_a_missing_number_is_missing_for_the_model_and_for_the_monitor(
    name: str, numeric: str, example_of: ExampleOf
) -> None:
    example = example_of(name)
    answer = predictor_of(example).predict(example.batch([{**row, numeric: None} for row in example.rows(30)]))
    inputs = example.inputs(example.held_out.head(30).assign(**{numeric: np.nan}))
    assert np.allclose(answer.scores, example.estimator.predict_proba(inputs)[:, 1], rtol=1e-12)
    assert np.isnan(answer.columns[:, example.names.index(numeric)]).all()


@pytest.mark.parametrize("name", MAKERS)
def test_the_answer_does_not_change_the_rows(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    batch = example.batch(example.rows(5))
    before, texts = batch.cells.copy(), {place: list(names) for place, names in batch.texts.items()}
    predictor_of(example).predict(batch)
    assert np.array_equal(batch.cells, before, equal_nan=True)
    assert {place: list(names) for place, names in batch.texts.items()} == texts


# ---------------------------------------------------------------- what is watched


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_watched_is_numbers_bin_codes_and_scores(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    answer = predictor_of(example).predict(example.batch(example.rows()))
    columns = example.bundle.baseline.columns
    assert answer.columns.shape == (len(example.evaluation), len(columns))
    for place, column in enumerate(columns):
        if column.name == PREDICTION:
            expected = answer.scores
        elif column.name == PREDICTION_CLASS:
            expected = column.bins.encode([str(label) for label in answer.labels])
        elif column.kind == "categorical":
            expected = column.bins.encode(example.held_out[column.name])
        else:
            expected = example.held_out[column.name].to_numpy(dtype=float)
        assert np.array_equal(answer.columns[:, place], expected), column.name


@pytest.mark.parametrize("name", ["category", "coded"])
def test_an_unseen_category_is_missing_for_the_model_and_unseen_for_the_monitor(
    name: str, example_of: ExampleOf
) -> None:
    example = example_of(name)
    predictor, rows = predictor_of(example), example.rows(4)
    unseen = predictor.predict(example.batch([{**row, "shape": "square"} for row in rows]))
    missing = predictor.predict(example.batch([{**row, "shape": None} for row in rows]))
    bins = example.bundle.baseline.bins[1]
    assert np.array_equal(unseen.scores, missing.scores)
    assert (unseen.columns[:, 1] == bins.special["unseen"]).all()
    assert np.isnan(missing.columns[:, 1]).all()
    binned = example.bundle.baseline.binner.codes(unseen.columns)[:, 1]
    assert (binned == bins.special["unseen"]).all()


def test_an_unseen_category_is_refused_where_the_model_takes_no_missing_values(text: Example) -> None:
    rows = text.rows(4)
    rows[2] = {**rows[2], "shape": "square"}
    with pytest.raises(Refused, match=r"shape: the model does not know the category 'square'.*flat, oval, round") as no:
        predictor_of(text).predict(text.batch(rows))
    assert no.value.reason is Reason.UNSEEN_CATEGORY
    assert no.value.detail == {"field": "shape", "row": 2}


def test_all_rows_with_an_unseen_category_are_counted(text: Example) -> None:
    shapes = ("square", "flat", "kite", "flat")
    rows = [{**row, "shape": shape} for row, shape in zip(text.rows(4), shapes, strict=True)]
    with pytest.raises(Refused, match="square") as no:
        predictor_of(text).admit(text.batch(rows))
    assert (no.value.violations, no.value.rows) == ({"domain": 2}, 4)


def test_a_long_category_is_repeated_in_part(text: Example) -> None:
    row = {**text.rows(1)[0], "shape": "square" * 1000}
    with pytest.raises(Refused, match=r"the category 'squaresquare.*…'") as no:
        predictor_of(text).predict(text.batch([row]))
    assert len(no.value.message) < 200


def test_an_unseen_category_is_refused_where_its_own_feature_takes_no_missing_value(coded: Example) -> None:
    features = [feature.model_copy(update={"accepts_missing": False}) for feature in coded.bundle.info.features]
    for place, refused in ((0, True), (1, False)):  # the radius takes a missing value, or the shape does
        accepting = tuple(
            feature.model_copy(update={"accepts_missing": True}) if i == place else feature
            for i, feature in enumerate(features)
        )
        info = coded.bundle.info.model_copy(update={"features": accepting})
        predictor = Predictor(replace(coded.bundle, info=info))
        batch = coded.batch([{**coded.rows(1)[0], "shape": "square"}])
        if refused:
            with pytest.raises(Refused, match="does not know the category 'square'"):
                predictor.predict(batch)
        else:
            assert len(predictor.predict(batch).labels) == 1


@pytest.mark.parametrize(("count", "cut"), [(0, False), (40, False), (41, True), (8_000_000, True)])
def test_a_text_of_a_request_is_cut_to_forty_characters(count: int, cut: bool) -> None:
    text = "é" * count
    assert shortened(text) == ("é" * 39 + "…" if cut else text)


def test_a_model_of_a_dataframe_says_what_to_install_without_pandas(
    text: Example, binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BundleError, match=r"pip install 'driftgauge\[pandas\]'"):
        predictor_of(text)
    predictor_of(binary)


def test_a_category_without_rows_in_the_reference_is_known_to_the_model_alone(coded: Example) -> None:
    info = coded.bundle.info
    shape = info.features[1]
    more = shape.model_copy(update={"categories": (*shape.categories, "new"), "codes": (*(shape.codes or ()), 0.0)})
    features = (info.features[0], more, info.features[2])
    predictor = Predictor(replace(coded.bundle, info=info.model_copy(update={"features": features})))
    row = coded.rows(1)[0]
    new, flat = (predictor.predict(coded.batch([{**row, "shape": shape}])) for shape in ("new", "flat"))
    assert new.scores == flat.scores
    assert new.columns[0, 1] == coded.bundle.baseline.bins[1].special["unseen"]


# ---------------------------------------------------------------- what fails


@pytest.mark.parametrize(
    "model",
    [
        Answering([[math.nan, 0.5]]),
        Answering([[-math.inf, math.inf]]),
        Answering(ValueError("no")),
        Answering(MemoryError()),
        object(),
    ],
    ids=["nan", "infinite", "raises", "memory", "no model"],
)
@pytest.mark.parametrize("name", ["binary", "regression"])
def test_a_model_that_raises_or_answers_no_number_has_failed(name: str, model: Any, example_of: ExampleOf) -> None:
    example = example_of(name)
    with pytest.raises(ModelFailed, match="the model raised"):
        Predictor(with_model(example, model)).predict(example.batch(example.rows(2)))


@pytest.mark.parametrize("rows", [1, 3])
def test_a_model_that_answers_with_too_few_rows_has_failed(rows: int, binary: Example) -> None:
    class Short(Answering):
        def predict_proba(self, x: Any) -> Any:
            return np.full((rows, 2), 0.5)

    with pytest.raises(ModelFailed):
        Predictor(with_model(binary, Short(0))).predict(binary.batch(binary.rows(2)))


class Single:
    """A model that, as trees do, takes numbers of 32 bits only."""

    def predict_proba(self, rows: Any) -> Any:
        if np.abs(rows).max() > np.finfo(np.float32).max:
            raise ValueError("too large for dtype('float32')")
        return np.full((len(rows), 2), 0.5)


def test_a_number_too_large_for_the_model_is_refused_by_name(binary: Example) -> None:
    predictor = Predictor(with_model(binary, Single()))
    batch = binary.batch(binary.rows(3))
    batch.cells[2, 1] = -1e39
    with pytest.raises(Refused, match="is too large for the model") as refused:
        predictor.predict(batch)
    assert refused.value.reason is Reason.NOT_FINITE
    assert refused.value.detail == {"field": binary.bundle.info.features[1].name, "row": 2}


# ---------------------------------------------------------------- samples


@pytest.mark.parametrize("name", MAKERS)
def test_a_bundle_verifies(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    predictor = predictor_of(example)
    verify(predictor, example.bundle.info)
    assert [agrees for *_, agrees in check_samples(predictor, example.bundle.info)] == [True] * 3


def test_a_model_that_answers_its_samples_otherwise_is_refused(binary: Example) -> None:
    predictor = Predictor(with_model(binary, Answering([[0.75, 0.25]])))
    with pytest.raises(BundleError, match=r"scores a sample 0\.25, but its bundle says .* scikit-learn .* again"):
        verify(predictor, binary.bundle.info)
    assert [agrees for *_, agrees in check_samples(predictor, binary.bundle.info)] == [False] * 3


def test_a_model_that_fails_on_its_samples_is_refused(binary: Example) -> None:
    with pytest.raises(BundleError, match=r'fails on a sample of its bundle \(the model raised ValueError: "no"\)'):
        verify(Predictor(with_model(binary, Answering(ValueError("no")))), binary.bundle.info)


def test_a_tiny_difference_of_another_machine_is_no_difference(binary: Example) -> None:
    info = binary.bundle.info
    near = [sample.model_copy(update={"score": sample.score * (1 + 1e-8)}) for sample in info.samples]
    far = [sample.model_copy(update={"score": sample.score * (1 + 1e-4)}) for sample in info.samples[:1]]
    verify(predictor_of(binary), info.model_copy(update={"samples": tuple(near)}))
    with pytest.raises(BundleError):
        verify(predictor_of(binary), info.model_copy(update={"samples": tuple(far)}))


def test_a_bundle_without_samples_verifies(binary: Example) -> None:
    without: tuple[Sample, ...] = ()
    info = binary.bundle.info.model_copy(update={"samples": without})
    assert check_samples(predictor_of(binary), info) == []
    verify(predictor_of(binary), info)


def test_a_batch_has_as_many_rows_as_its_cells() -> None:
    assert len(Batch(np.zeros((4, 2)), {})) == 4
