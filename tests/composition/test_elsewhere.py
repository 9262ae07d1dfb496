"""What the settings say of the task of a model that another server serves, held against its baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driftgauge.composition.elsewhere import elsewhere
from driftgauge.composition.loading import Loaded
from driftgauge.composition.watched import WatchedModel
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import SettingsError
from driftgauge.settings.models import ModelSource

from tests.examples import quiet


def baseline_of(*, scores: tuple[float, float] | None = (0.0, 1.0), classes: tuple[str, ...] = ()) -> Baseline:
    """Return a baseline of one feature, with scores between two numbers and predicted classes."""
    table: dict[str, Any] = {"x": np.linspace(0.0, 1.0, 400)}
    if scores is not None:
        table["prediction"] = np.linspace(*scores, 400)
    if classes:
        table["prediction_class"] = Categories(np.arange(400) % len(classes), classes)
    return build_baseline(table, created="2026-01-01T00:00:00Z")


def watched(baseline: Baseline, task: str | None, *classes: Any) -> WatchedModel:
    source = ModelSource(quiet(), None, name="m", task=task, classes=classes)
    return elsewhere(Loaded(source, baseline=baseline), baseline, None)


def test_without_a_task_it_is_unknown() -> None:
    found = watched(baseline_of(), None)
    assert (found.task, found.classes, found.source) == ("unknown", None, "ingest")


@pytest.mark.parametrize(
    ("task", "given", "known", "expected"),
    [
        ("binary", (), (), (0, 1)),
        ("binary", ("good", "bad"), (), ("good", "bad")),
        ("binary", (), ("1", "0"), (0, 1)),
        ("binary", (), ("true", "false"), (False, True)),
        ("binary", (), ("True", "False"), ("False", "True")),
        ("binary", ("late", "early"), ("early", "late"), ("late", "early")),
        ("multiclass", (), ("a", "b", "c"), ("a", "b", "c")),
        ("multiclass", (2, 1, 0), ("0", "1", "2"), (2, 1, 0)),
        ("multiclass", ("a", "b", "c", "new"), ("a", "b", "c"), ("a", "b", "c", "new")),
        ("regression", (), (), ()),
    ],
)
def test_classes_are_those_of_the_settings_else_of_the_baseline(
    task: str, given: tuple[Any, ...], known: tuple[str, ...], expected: tuple[Any, ...]
) -> None:
    found = watched(baseline_of(classes=known), task, *given)
    assert (found.task, list(map(repr, found.classes or ()))) == (task, list(map(repr, expected)))


@pytest.mark.parametrize(
    ("baseline", "task", "classes", "said"),
    [
        (baseline_of(scores=None), "binary", (), "task binary: the baseline has no column prediction"),
        (baseline_of(scores=None), "regression", (), "task regression: the baseline has no column prediction"),
        (baseline_of(scores=(0.0, 40.0)), "binary", (), "prediction lies between 0 and 40 in the baseline"),
        (baseline_of(), "multiclass", (), "the baseline has no column prediction_class"),
        (baseline_of(classes=("a", "b")), "binary", (), "Name both in `classes` of the model's table"),
        (baseline_of(classes=("a", "b", "c")), "multiclass", ("a", "b"), "the baseline also has c"),
        (baseline_of(classes=("a", "b", "c")), "binary", ("a", "b"), "the baseline also has c"),
    ],
)
def test_a_task_that_the_baseline_cannot_have_is_refused(
    baseline: Baseline, task: str, classes: tuple[Any, ...], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        watched(baseline, task, *classes)


def test_several_classes_need_no_scores() -> None:
    found = watched(baseline_of(scores=None, classes=("a", "b", "c")), "multiclass")
    assert found.classes == ("a", "b", "c")
