from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.models.bundle import Bundle
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.serving.rejection import SECONDS, Explainer, typical_row
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.examples import Example
from tests.served import Picky


class Raising:
    """A model that raises on rows that a function finds."""

    def __init__(self, inner: Any, is_bad: Any, error: Exception) -> None:
        self.inner, self.is_bad, self.error, self.calls = inner, is_bad, error, 0

    def predict_proba(self, x: Any) -> Any:
        self.calls += 1
        if self.is_bad(x).any():
            raise self.error
        return self.inner.predict_proba(x)


def explained(bundle: Bundle, batch: Batch, **more: Any) -> Exception:
    predictor = Predictor(bundle)
    with pytest.raises(ModelFailed) as failed:
        predictor.predict(batch)
    return Explainer(predictor, **more).explained(batch, failed.value)


def with_model(example: Example, is_bad: Any, error: Exception) -> Bundle:
    return replace(example.bundle, model=Raising(example.bundle.model, is_bad, error))


@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("field", range(6))
def test_the_row_and_the_field_at_fault_are_named(place: int, field: int, binary: Example) -> None:
    batch = binary.batch(binary.rows(7))
    batch.cells[place, field] = -3.0
    bundle = with_model(binary, lambda x: x[:, field] < 0, ValueError("no"))
    found = explained(bundle, batch)
    assert isinstance(found, Refused)
    assert found.reason is Reason.MODEL_REJECTED_ROW
    assert found.detail == {"field": binary.names[field], "row": place}
    assert found.message.startswith(f"{binary.names[field]}: the model fails on the value -3 in this row")


def test_where_no_field_alone_is_at_fault_the_row_is_named(binary: Example) -> None:
    batch = binary.batch(binary.rows(3))
    batch.cells[1, [0, 5]] = -3.0
    found = explained(with_model(binary, lambda x: x.min(axis=1) < 0, ValueError("no")), batch)
    assert isinstance(found, Refused)
    assert (found.reason, found.detail) == (Reason.MODEL_REJECTED_ROW, {"row": 1})


def test_a_category_or_a_gap_at_fault_has_its_own_reason(category: Example) -> None:
    row = category.rows(1)[0]

    def picky(test: Any) -> Bundle:
        return with_model(category, lambda frame: test(frame["shape"].astype(object)), KeyError("no"))

    unseen = explained(picky(lambda shape: shape == "square"), category.batch([{**row, "shape": "square"}]))
    gap = explained(picky(lambda shape: shape.isna()), category.batch([{**row, "shape": None}]))
    assert isinstance(unseen, Refused)
    assert isinstance(gap, Refused)
    assert (unseen.reason, gap.reason) == (Reason.UNSEEN_CATEGORY, Reason.MISSING_FEATURE)
    assert unseen.detail == gap.detail == {"field": "shape", "row": 0}


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("no"), ArithmeticError("no")])
def test_a_failure_of_the_models_own_stays_one(error: Exception, binary: Example) -> None:
    batch = binary.batch(binary.rows(2))
    batch.cells[0, 0] = -3.0
    assert isinstance(explained(with_model(binary, lambda x: x[:, 0] < 0, error), batch), ModelFailed)


def test_a_model_that_fails_on_a_typical_row_has_failed(binary: Example) -> None:
    bundle = with_model(binary, lambda x: x[:, 0] == x[:, 0], ValueError("no"))
    assert isinstance(explained(bundle, binary.batch(binary.rows(2))), ModelFailed)


def test_a_failure_that_does_not_come_again_is_not_the_rows(binary: Example) -> None:
    model = Raising(binary.bundle.model, None, ValueError("once"))
    model.is_bad = lambda x: np.array([model.calls == 1])
    assert isinstance(explained(replace(binary.bundle, model=model), binary.batch(binary.rows(4))), ModelFailed)


def test_the_search_for_fields_has_an_allowance(binary: Example) -> None:
    now = [0.0]
    predictor = Predictor(replace(binary.bundle, model=Picky(binary.bundle.model)))
    explainer = Explainer(predictor, clock=lambda: now[0])
    batch = binary.batch([{**binary.rows(1)[0], "mean radius": -1.0}])
    error = ModelFailed("no")
    error.__cause__ = ValueError("no")

    def named() -> bool:
        found = explainer.explained(batch, error)
        assert isinstance(found, Refused)
        return "field" in found.detail

    field = explainer._failing_field
    explainer._failing_field = lambda row: (now.__setitem__(0, now[0] + 2 * SECONDS), field(row))[1]  # type: ignore[method-assign]
    assert named()
    explainer._left = -SECONDS  # what a slow search leaves
    assert not named()
    now[0] += 100.0
    assert named()


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("name", ["exp", "log"])
def test_values_outside_of_a_transformers_domain_are_refused_by_name(name: str, binary: Example) -> None:
    step = FunctionTransformer({"exp": np.exp, "log": np.log}[name])
    x = np.clip(binary.reference[binary.names].to_numpy(), 1e-9, 3.0)
    model = make_pipeline(step, LogisticRegression()).fit(x, binary.reference["outcome"])
    batch = binary.batch(binary.rows(3))
    batch.cells[:] = np.clip(batch.cells, 1e-9, 3.0)
    batch.cells[1, 2] = 1e6 if name == "exp" else -1.0
    usual = dict(zip(binary.names, [1.0] * len(binary.names), strict=True))
    samples = tuple(sample.model_copy(update={"features": usual}) for sample in binary.bundle.info.samples)
    info = binary.bundle.info.model_copy(update={"samples": samples})
    found = explained(replace(binary.bundle, model=model, info=info), batch)
    assert isinstance(found, Refused)
    assert found.detail == {"field": binary.names[2], "row": 1}


@pytest.mark.parametrize("name", ["binary", "category", "coded"])
def test_a_typical_row_is_answered_with_and_without_samples(name: str, request: pytest.FixtureRequest) -> None:
    bundle = request.getfixturevalue(name).bundle
    for info in (bundle.info, bundle.info.model_copy(update={"samples": ()})):
        assert len(Predictor(bundle).predict(typical_row(info, bundle.baseline)).labels) == 1
