"""Numbers of comparisons of whole rows with those that are kept of the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from driftgauge.drift.multivariate.classifier import Separation
from driftgauge.drift.multivariate.compared import RESULTS, ComparedRows, RowComparison
from driftgauge.drift.multivariate.components import Reconstruction
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import Kind, Labels


@dataclass(frozen=True)
class WholeRowGauge(MonitorGauge):
    """A gauge of the comparisons; absent where whole rows are not compared by interval."""

    def applies_to(self, facts: MonitorFacts) -> bool:
        """Say whether a monitor has it."""
        return facts.whole_rows is not None


@dataclass(frozen=True)
class WholeRowCounter(WholeRowGauge):
    """A counter of comparisons, which the workers of a server share."""

    type: ClassVar[Kind] = "counter"


def _numbers(value: Callable[[ComparedRows], Numbers]) -> Callable[[MonitorFacts], Numbers]:
    return lambda facts: value(facts.whole_rows or ComparedRows())


def _of_last(value: Callable[[RowComparison], float]) -> Callable[[MonitorFacts], Numbers]:
    return _numbers(lambda known: math.nan if known.last is None else value(known.last))


def _auc(name: str, help: str, value: Callable[[Separation], float]) -> WholeRowGauge:
    def found(last: RowComparison) -> float:
        return math.nan if last.report.separation is None else value(last.report.separation)

    return WholeRowGauge(name, help, _NONE, _of_last(found))


def _error(name: str, help: str, value: Callable[[Reconstruction], float]) -> WholeRowGauge:
    def found(last: RowComparison) -> float:
        return math.nan if last.report.reconstruction is None else value(last.report.reconstruction)

    return WholeRowGauge(name, help, _NONE, _of_last(found))


def _severity(known: ComparedRows) -> float:
    if known.is_stale or known.last is None or known.last.report.separation is None:
        return math.nan
    return 0.0 if known.severity is None else 1.0 + SEVERITIES.index(known.severity)


_NONE: Final[Labels] = ()
_SHIFT: Final = "of the shift of principal components' reconstruction error, in standard deviations of the reference's."
WHOLE_ROW_GAUGES: Final = (
    _auc(
        "model_multivariate_auc",
        "How well a classifier tells whole rows of the main window from the reference's: 0.5 is not at all.",
        lambda own: own.auc,
    ),
    _auc(
        "model_multivariate_auc_lower", "Lower end of the 95 % interval of the AUC of whole rows.", lambda own: own.low
    ),
    _auc(
        "model_multivariate_auc_upper", "Upper end of the 95 % interval of the AUC of whole rows.", lambda own: own.high
    ),
    WholeRowGauge(
        "model_multivariate_auc_threshold",
        "AUC that the whole interval has to exceed for a severity.",
        ("severity",),
        _numbers(lambda known: np.array([known.thresholds.by_limit[limit] for limit in LIMITS])),
    ),
    _error(
        "model_multivariate_reconstruction_shift",
        "Shift of principal components' reconstruction error, in standard deviations of the reference's.",
        lambda own: own.shift,
    ),
    _error(
        "model_multivariate_reconstruction_shift_lower", f"Lower end of the 95 % interval {_SHIFT}", lambda own: own.low
    ),
    _error(
        "model_multivariate_reconstruction_shift_upper",
        f"Upper end of the 95 % interval {_SHIFT}",
        lambda own: own.high,
    ),
    WholeRowGauge(
        "model_multivariate_severity",
        "Severity of the difference of whole rows: 0 none, 1 info, 2 warning, 3 critical. Above 1 only with "
        "`multivariate=verdict`. Absent once the last comparison is older than five intervals.",
        _NONE,
        _numbers(_severity),
    ),
    WholeRowGauge(
        "model_multivariate_rows",
        "Rows of the main window that were compared last.",
        _NONE,
        _of_last(lambda last: last.report.rows),
    ),
    WholeRowGauge(
        "model_multivariate_timestamp_seconds",
        "Time of the last comparison of whole rows on the server's clock.",
        _NONE,
        _of_last(lambda last: last.at),
    ),
    WholeRowGauge(
        "model_multivariate_duration_seconds",
        "Time that the last comparison of whole rows took.",
        _NONE,
        _of_last(lambda last: last.seconds),
    ),
    WholeRowCounter(
        "model_multivariate_comparisons_total",
        "Comparisons of whole rows, by how they ended: compared, too few rows, timed out and killed, or failed.",
        ("result",),
        _numbers(lambda known: np.array([float(known.results.get(result, 0)) for result in RESULTS])),
    ),
)
