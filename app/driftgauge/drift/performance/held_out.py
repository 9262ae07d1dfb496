"""What is kept of the held-out rows, so that live performance can be estimated and errors compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.performance.error_model import ErrorModel
from driftgauge.drift.performance.estimated import Calibration, Estimates
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
    def can_estimate(self) -> bool:
        """Whether there were enough rows."""
        return self.calibration is not None or self.error_model is not None


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
