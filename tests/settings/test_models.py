"""The tables of models: the task and the classes of one that another server serves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from driftgauge.errors import SettingsError
from driftgauge.settings.models import ModelSource
from driftgauge.settings.options import load


def source_of(**table: Any) -> ModelSource:
    (found,) = load({"models": json.dumps({"m": {"baseline": "b.json", **table}})}).sources
    return found


def test_the_task_and_the_classes_of_a_model_are_kept_as_they_are_written() -> None:
    found = source_of(task="multiclass", classes=[0, "0.5", 1.5, True])
    assert (found.task, list(map(repr, found.classes))) == ("multiclass", ["0", "'0.5'", "1.5", "True"])
    assert (source_of().task, source_of().classes) == (None, ())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"task": "cluster"}, "m cannot have the task cluster: give binary, multiclass or regression"),
        ({"classes": ["a", "b"]}, "m needs its task beside its classes"),
        ({"task": "binary", "classes": ["a"]}, "a binary model has two classes, the positive one last; there are 1"),
        ({"task": "binary", "classes": ["a", "b", "c"]}, "has two classes, the positive one last; there are 3"),
        ({"task": "binary", "classes": "ab"}, "models.m.classes: 'ab' cannot be used: give a list, e.g."),
        ({"task": "regression", "classes": [1, 2]}, "a regression has no classes: leave them out"),
        ({"task": "multiclass", "classes": ["a", "a"]}, "two of its classes have the same name"),
        ({"task": "multiclass", "classes": ["a"]}, "give all of its classes; there is 1"),
        ({"task": "multiclass", "classes": [[1], 2]}, "classes must be texts, numbers, or true and false"),
        ({"task": "multiclass", "classes": [float("nan"), 2]}, "classes must be texts, numbers, or true and false"),
        ({"task": 7}, "models.m.task: 7 cannot be used"),
        ({"baseline": None, "bundle": "b", "task": "binary"}, "the bundle says its task and classes"),
    ],
)
def test_a_task_or_classes_that_cannot_be_are_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        source_of(**table)


def test_limits_of_performance_are_those_of_the_model() -> None:
    tables = {
        "a": {"baseline": "a.json", "performance_floors": {"accuracy": 0.9}},
        "b": {"baseline": "b.json", "performance_segments": ["city"]},
    }
    found = load({"models": json.dumps(tables), "performance_floors": "recall=0.5"}).sources
    assert [own.settings.performance_floors for own in found] == [{"accuracy": 0.9}, {"recall": 0.5}]
    assert [own.settings.performance_segments for own in found] == [(), ("city",)]
