"""Options of single columns: the tables `[features."NAME"]` of the settings file."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import listed, shortened
from driftgauge.drift.verdict.policy import (
    BOUNDED,
    STATISTICS,
    ColumnPolicy,
    Pair,
    Statistic,
    is_rising,
    pair_problem,
)
from driftgauge.errors import SettingsError
from driftgauge.settings.statistics import OTHERS

if TYPE_CHECKING:  # importing it would delay `--help`
    from driftgauge.drift.reference.baseline import Baseline

LONGEST_VALUE: Final = 60
"""Characters of a wrong value that its message shows."""
PAIR: Final = "[warning, critical]: two numbers above 0, the second not below the first"


def _spelled(pair: Pair) -> str:
    return f"[{pair[0]:g}, {pair[1]:g}]"


class FeatureThresholds(BaseModel):
    """Thresholds of one column, by statistic: warning and critical."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    psi: Pair | None = Field(None, description="In place of `psi_threshold_warning` and `psi_threshold_critical`.")
    missing: Pair | None = Field(
        None, description="In place of `missing_threshold_warning` and `missing_threshold_critical`."
    )
    unseen: Pair | None = Field(
        None, description="In place of `unseen_threshold_warning` and `unseen_threshold_critical`."
    )

    ks: Pair | None = Field(None, description="Of Kolmogorov-Smirnov, in place of `statistic_thresholds`.")
    wasserstein: Pair | None = Field(None, description="Of Wasserstein, in place of `statistic_thresholds`.")
    js: Pair | None = Field(None, description="Of Jensen-Shannon, in place of `statistic_thresholds`.")
    kl: Pair | None = Field(None, description="Of Kullback-Leibler, in place of `statistic_thresholds`.")
    chi2: Pair | None = Field(None, description="Of Cramér's V, in place of `statistic_thresholds`.")

    @field_validator("psi", "missing", "unseen", *OTHERS)
    @classmethod
    def _rising(cls, value: Pair | None) -> Pair | None:
        if value is not None and not is_rising(value):
            raise ValueError(f"{_spelled(value)} cannot be used: give {PAIR}")
        return value

    @field_validator(*BOUNDED)
    @classmethod
    def _in_reach(cls, value: Pair | None, info: ValidationInfo) -> Pair | None:
        if value is not None and (problem := pair_problem(info.field_name or "", value)):
            raise ValueError(f"{_spelled(value)} {problem}")
        return value

    @field_validator("missing", "unseen")
    @classmethod
    def _ratios(cls, value: Pair | None) -> Pair | None:
        if value is not None and value[1] > 1.0:
            raise ValueError(f"{_spelled(value)} cannot be used: ratios are at most 1")
        return value


class FeatureSettings(BaseModel):
    """Options of one column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    monitor: bool = Field(
        True,
        description="If false, the column has no verdict, no metrics and no share in the false-alarm budget. "
        "`/drift/status` lists it as not monitored. Its rows stay in the windows and in `correlation`.",
    )
    alert: bool = Field(
        True,
        description="If false, the column raises no alert: its severity is at most info, and its missing and unseen "
        "values have no thresholds. Status, evidence and metrics stay.",
    )
    statistic: Statistic | None = Field(
        None, description="The statistic that says how large a change of the column is, in place of `statistic`."
    )
    thresholds: FeatureThresholds = Field(
        FeatureThresholds(),
        description="Thresholds by statistic, each `[warning, critical]`: `psi`, `missing`, `unseen`, `ks`, "
        "`wasserstein`, `js`, `kl` or `chi2`.",
    )
    tolerance: float | None = Field(
        None, ge=0, le=1, description="Shifts smaller than this are ignored, in place of `evidence_tolerance_ratio`."
    )
    kind: Literal["numeric", "categorical"] | None = Field(
        None,
        description="The kind that the column must have in the baseline; the server does not start if it has another. "
        "The bins of the baseline fix the kind, so a server cannot change it.",
    )

    @property
    def policy(self) -> ColumnPolicy:
        """The options, as a monitor takes them."""
        return ColumnPolicy(
            monitor=self.monitor,
            alert=self.alert,
            psi_thresholds=self.thresholds.psi,
            missing_thresholds=self.thresholds.missing,
            unseen_thresholds=self.thresholds.unseen,
            tolerance=self.tolerance,
            statistic=self.statistic,
            size_thresholds={name: pair for name in OTHERS if (pair := getattr(self.thresholds, name)) is not None},
        )


def decoded(value: object) -> object:
    """Return the tables of all columns, which the environment gives as JSON. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f'{shortened(repr(value), LONGEST_VALUE)} is not JSON: give e.g. {{"temp": {{"alert": false}}}}'
        ) from error


def sentence(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with the table of a column, from what pydantic refused."""
    path: Sequence[str | int] = problem["loc"]
    where = spelled_path([str(part) for part in path[1:4]])
    if problem["type"] == "extra_forbidden":
        *parents, key = [str(part) for part in path[1:]]
        known = FeatureThresholds.model_fields if len(parents) > 1 else FeatureSettings.model_fields
        like = nearest(key, known)
        return f"{spelled_path(parents)}: unknown key {key}; " + (
            f"did you mean {like}?" if like else f"it takes {', '.join(known)}"
        )
    if problem["type"] == "value_error":
        return f"{where}: {problem['ctx']['error']}"
    key = str(path[2]) if len(path) > 2 else ""
    if key == "thresholds" and len(path) == 3:
        key = ""
    return f"{where}: {shortened(repr(problem['input']), LONGEST_VALUE)} cannot be used: give {_ALLOWED[key]}"


_ALLOWED: Final[Mapping[str, str]] = {
    "": "a table",
    "monitor": "true or false",
    "alert": "true or false",
    "statistic": f"one of {', '.join(STATISTICS)}",
    "thresholds": PAIR,
    "tolerance": "a number from 0 to 1",
    "kind": "numeric or categorical",
}
"""What each key accepts, in words."""


def spelled_path(parts: Sequence[str]) -> str:
    """Return a path as the settings file writes it, from the name of a column.

    >>> spelled_path(["mean area", "tolerance"])
    'features."mean area".tolerance'
    """
    name, *rest = parts
    return ".".join(["features", json.dumps(shortened(name), ensure_ascii=False), *rest])


def require_known(setting: str, names: Collection[str], baseline: Baseline) -> None:
    """Raise SettingsError if a setting names a column that the baseline does not have."""
    unknown = [name for name in names if name not in baseline.names]
    if unknown:
        like = nearest(unknown[0], baseline.names)
        advice = f"did you mean {like}?" if like else f"it has {listed(baseline.names)}"
        raise SettingsError(f"{setting}: the model has no column {listed(unknown)}; {advice}")


def require_kinds(features: Mapping[str, FeatureSettings], baseline: Baseline) -> None:
    """Raise SettingsError if a column has another kind in the baseline than its table says."""
    for column in baseline.columns:
        kind = features[column.name].kind if column.name in features else None
        if kind is not None and kind != column.kind:
            option = shlex.quote(f"{column.name}={kind}")
            raise SettingsError(
                f"{spelled_path([column.name, 'kind'])}: the column is {column.kind} in the baseline, whose bins "
                f"cannot be changed here. Build the baseline with --kinds {option}, or leave out the key"
            )
