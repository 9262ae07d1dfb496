"""Evidence that labels have changed: the target as one more column with a detector."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.progress import Progress, rows_at_once
from driftgauge.drift.performance.errors import ErrorEvidence
from driftgauge.drift.reference.baseline import LABEL, Baseline


class LabelDetector:
    """Updates the evidence that labels differ from the target of the reference; see `errors.ErrorDetector`."""

    def __init__(self, reference: Baseline, budget: Budget | None = None, *, beside: int = 0) -> None:
        """Make the bets; `beside` are columns with evidence that share the budget."""
        if reference.names != (LABEL,):
            raise ValueError(f"a baseline of {', '.join(reference.names)}, not of the target alone")
        self.reference: Final = reference
        self._detector: Final = reference.detector(budget, beside=beside)

    def start(self) -> ErrorEvidence:
        """Return the evidence before the first label."""
        return ErrorEvidence(Progress.start(self.reference.binner, self._detector), -np.inf)

    def after(self, before: ErrorEvidence, at: FloatArray, cells: FloatArray, *, until: float) -> ErrorEvidence:
        """Return the evidence with labels of predictions made until before `until`, in the order of prediction.

        `cells` are the labels as the baseline's column has them, shape [n]; `at` the times of the predictions.
        """
        if not until > before.upto:
            return before
        binner, progress = self.reference.binner, before.progress
        most = rows_at_once(binner, self._detector)
        for first in range(0, len(at), most):
            own = slice(first, first + most)
            progress = progress.after(binner, self._detector, binner.codes(cells[own, None]), at[own])
        return replace(before, progress=progress, upto=until)
