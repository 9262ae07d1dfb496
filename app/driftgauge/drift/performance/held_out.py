"""What is kept of the held-out rows, so that live performance can be estimated and errors compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from driftgauge.drift.performance.error_model import ErrorModel
from driftgauge.drift.performance.estimated import FEWEST_HELD_OUT_ROWS, Calibration, Estimates
from driftgauge.drift.reference.baseline import PREDICTION, Baseline
from driftgauge.drift.windows.window import Window


@dataclass(frozen=True)
class HeldOut:
    """What is kept of rows that the model was not fitted on, and whose truth is known."""

    errors: Baseline
    """Their errors, a baseline of `errors.ERROR_COLUMNS`."""
    calibration: Calibration | None = None
    """Of a classification; None for too few rows."""
    error_model: ErrorModel | None = None
    """Of a regression; None for too few rows."""

    @property
    def metrics(self) -> Estimates:
        """The metrics of the held-out rows that are estimated for live ones."""
        error = self.errors.columns[0].mean
        if self.calibration is None:
            return {"mae": error} if self.error_model is not None else {}
        return {"accuracy": 1.0 - error, **self.calibration.held_out}

    @property
    def can_estimate(self) -> bool:
        """Whether there were enough rows."""
        return self.calibration is not None or self.error_model is not None


@dataclass(frozen=True)
class Estimated:
    """The performance of a model as it is estimated without ground truth."""

    held_out: Estimates = field(default_factory=dict)
    """The metrics of the held-out rows."""
    windows: Mapping[str, Estimates] = field(default_factory=dict)
    """The estimates for each window whose rows are in memory, by the window's name; empty for too few rows."""
    unavailable: str | None = None
    """Why there is no estimate at all."""


NO_HELD_OUT_ROWS: Final = (
    "nothing is known of held-out rows: create the bundle with an evaluation table (driftgauge bundle create "
    "--evaluation), and give the bundle rather than its baseline"
)
TOO_FEW_HELD_OUT_ROWS: Final = (
    f"the evaluation table has fewer than {FEWEST_HELD_OUT_ROWS} rows with a known target: create the bundle with more"
)


def estimated(held_out: HeldOut | None, baseline: Baseline, windows: Sequence[Window]) -> Estimated:
    """Return the estimates for windows, or why there are none."""
    if held_out is None or PREDICTION not in baseline.names:
        return Estimated(unavailable=NO_HELD_OUT_ROWS)
    if not held_out.can_estimate:
        return Estimated(unavailable=TOO_FEW_HELD_OUT_ROWS)
    return Estimated(held_out.metrics, Estimator(held_out, baseline).estimates(windows))


class Estimator:
    """Estimates the performance on the rows of windows."""

    def __init__(self, held_out: HeldOut, baseline: Baseline) -> None:
        """Estimate from the columns of a baseline, its prediction among them."""
        self._held_out: Final = held_out
        self._score: Final = baseline.names.index(PREDICTION)

    def estimates(self, windows: Sequence[Window]) -> Mapping[str, Estimates]:
        """Return the estimates for each window whose rows are in memory, by the window's name."""
        return {window.name: self._estimate(window) for window in windows if window.sample is not None}

    def _estimate(self, window: Window) -> Estimates:
        if window.sample is None:
            return {}
        if self._held_out.error_model is not None:
            return self._held_out.error_model.estimate(window.sample.by_column)
        if self._held_out.calibration is not None:
            return self._held_out.calibration.estimate(window.sample.by_column[self._score])
        return {}
