"""A model that another server serves: its baseline, and what the settings say of its task and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from driftgauge.common.quoting import named
from driftgauge.composition.loading import Loaded
from driftgauge.composition.watched import WatchedModel
from driftgauge.drift.bins import category_name
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, Baseline
from driftgauge.edges.http.model_monitoring import UNKNOWN_TASK
from driftgauge.errors import SettingsError
from driftgauge.metrics.series import INGEST
from driftgauge.predictions.rows import ClassLabel

BINARY: Final = "binary"
MULTICLASS: Final = "multiclass"
TWO: Final = (0, 1)
"""The classes of a binary model if nothing names them; the last is the positive one."""
_IN_ORDER: Final[Mapping[frozenset[str], Sequence[ClassLabel]]] = {
    frozenset({"0", "1"}): TWO,
    frozenset({"false", "true"}): (False, True),
}
"""Names of two classes of which one is known to be the positive one."""


def elsewhere(own: Loaded, baseline: Baseline, service: int | None) -> WatchedModel:
    """Return a model that is served elsewhere as it is watched.

    SettingsError if its baseline contradicts the task or the classes of the settings.
    """
    source = own.source
    classes = None if source.task is None else _classes(source.task, source.classes, baseline)
    return WatchedModel(
        baseline,
        own.name,
        own.version,
        source.task or UNKNOWN_TASK,
        source.settings.state_folder,
        classes=classes,
        service=service,
        source=INGEST,
        constraints=own.constraints,
        sample=own.sample,
    )


def _classes(task: str, given: Sequence[ClassLabel], baseline: Baseline) -> Sequence[ClassLabel]:
    """Return the classes of a model by their index; none for a regression. SettingsError as above."""
    known = _categories(baseline)
    if task != MULTICLASS:
        _require_score(task, baseline)
    elif known is None:
        raise SettingsError(
            f"task {task}: the baseline has no column {PREDICTION_CLASS}. Build it from a table with the predicted "
            "classes"
        )
    if task not in (BINARY, MULTICLASS):
        return ()
    classes = given or (_two(known) if task == BINARY else known) or ()
    unknown = sorted(set(known or ()) - set(map(category_name, classes)))
    if unknown:
        raise SettingsError(f"classes: the baseline also has {named(unknown)} in {PREDICTION_CLASS}: add all classes")
    return tuple(classes)


def _categories(baseline: Baseline) -> Sequence[str] | None:
    """Return the predicted classes that the baseline knows; None if it has no column of them."""
    if PREDICTION_CLASS not in baseline.names:
        return None
    return baseline.columns[baseline.names.index(PREDICTION_CLASS)].bins.categories


def _require_score(task: str, baseline: Baseline) -> None:
    """Raise SettingsError if the baseline has no scores that the task can have."""
    if PREDICTION not in baseline.names:
        raise SettingsError(
            f"task {task}: the baseline has no column {PREDICTION}. Build it from a table with the model's scores"
        )
    score = baseline.columns[baseline.names.index(PREDICTION)]
    if task == BINARY and not (score.min >= 0.0 and score.max <= 1.0):
        raise SettingsError(
            f"task {task}: {PREDICTION} lies between {score.min:g} and {score.max:g} in the baseline, and has to be "
            "the probability of the positive class, from 0 to 1"
        )


def _two(known: Sequence[str] | None) -> Sequence[ClassLabel]:
    """Return the two classes, the positive one last; SettingsError if their names do not say which it is."""
    if known is None:
        return TWO
    found = _IN_ORDER.get(frozenset(known))
    if found is None and {name.lower() for name in known} == {"false", "true"}:
        return sorted(known)
    if found is None:
        raise SettingsError(
            f"task {BINARY}: the baseline has the classes {named(list(known))}. Name both in `classes` of the model's "
            "table, the positive one last"
        )
    return found
