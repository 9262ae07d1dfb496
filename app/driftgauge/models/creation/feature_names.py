"""Selects the feature columns: the estimator's, a step's, the user's, or all but the target."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from driftgauge.common.quoting import listed
from driftgauge.errors import BundleError
from driftgauge.models.creation.foreign import ForeignModel
from driftgauge.models.creation.learned_columns import takes_only_texts

_INNER: Final = ("best_estimator_", "estimator_", "regressor_", "estimator")
"""Attributes that hold the wrapped estimator."""


@dataclass(frozen=True)
class FeatureNames:
    """The features' names in the order that the estimator expects."""

    names: tuple[str, ...]
    source: str
    """Where the names come from, as the end of a sentence."""
    as_frame: bool = False
    """Whether the estimator may need a DataFrame, although its first step keeps no names."""
    guessed: bool = False
    """Whether the names are a later step's: an earlier one may have dropped columns."""

    @property
    def doubt(self) -> str:
        """The advice if the estimator fails on these columns; empty if the names are its own."""
        if not self.guessed:
            return ""
        return f"; its columns were chosen {self.source}: if it was fitted on others, name them in order (--features)"


def names_of(model: Any, columns: Sequence[str], left_out: Sequence[str], stated: Sequence[str] = ()) -> FeatureNames:
    """Return the features among a table's columns.

    `left_out` are columns that are not features, `stated` those that the user names. Raises BundleError if the
    estimator does not know its columns, or knows others.
    """
    beside = [name for name in columns if name not in left_out]
    own_names = _own_names(model, columns)
    if stated:
        return _stated_names(stated, own_names, as_frame=next(_step_names(model, columns), None) is not None)
    if own_names is not None:
        return FeatureNames(own_names, "by the estimator's own names")
    step_names = next(_step_names(model, columns), None)
    if step_names is not None and set(step_names.names) <= set(beside):
        return step_names
    knows = hasattr(model, "n_features_in_") or isinstance(model, ForeignModel)
    if not knows and not takes_only_texts(model):
        raise BundleError(
            f"the estimator does not know which columns it was fitted on: name them in their order, "
            f"{_options(beside)}; these are the reference's columns besides the target"
        )
    return FeatureNames(tuple(beside), "all columns except the target, in the table's order")


def trained_names(model: Any) -> list[str]:
    """Return the names of the estimator, or else of its first step that has any."""
    own_names = _own_names(model, ())
    step_names = next(_step_names(model, ()), None) if own_names is None else None
    return list(own_names or (step_names.names if step_names else ()))


def not_taken(columns: Sequence[str], names: Sequence[str], reasons: dict[str, str]) -> str:
    """Return the columns that are not features, each with its reason if there is one."""
    return listed([name for name in columns if name not in names], reasons)


def _stated_names(names: Sequence[str], own_names: tuple[str, ...] | None, *, as_frame: bool) -> FeatureNames:
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise BundleError(f"--features names {twice} twice")
    if own_names is None:
        return FeatureNames(tuple(names), "as --features names them", as_frame=as_frame)
    if set(own_names) != set(names):
        raise BundleError(
            f"the estimator was fitted on {listed(own_names)}, --features names {listed(names)}: "
            "leave the option out, or name the same columns"
        )
    return FeatureNames(own_names, "by the estimator's own names")


def _own_names(model: Any, columns: Sequence[str]) -> tuple[str, ...] | None:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return None
    # LightGBM writes an underscore for a space.
    spelled = {name.replace(" ", "_"): name for name in columns if " " in name}
    return tuple(name if name in columns else spelled.get(name, name) for name in map(str, names))


def _step_names(model: Any, columns: Sequence[str]) -> Iterator[FeatureNames]:
    """Yield the names that inner steps were fitted on, first step first."""
    for step, inner in getattr(model, "steps", None) or ():
        own_names = _own_names(inner, columns)
        if own_names is not None:
            yield FeatureNames(
                own_names, f"by the names that its step {step} was fitted on", as_frame=True, guessed=True
            )
        else:
            yield from _step_names(inner, columns)
    for attribute in _INNER:
        inner = getattr(model, attribute, None)
        if hasattr(inner, "fit"):
            yield from _step_names(inner, columns)


def _options(names: Sequence[str]) -> str:
    """Return the `--features` option that names columns, repeated if a name holds a comma."""
    if any("," in name for name in names):
        return " ".join(f"--features {shlex.quote(name)}" for name in names)
    return f"--features {shlex.quote(','.join(names))}"
