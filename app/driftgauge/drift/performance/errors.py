"""Evidence of concept drift: a change in a model's errors on rows whose truth is known.

The errors are two more columns with the e-detector of drift (see `evidence.detector`), and their reference are the
errors on the held-out rows. Rows enter in the order of their prediction, and only once all labels of their time have
had the time to come: wrong answers whose labels come late would otherwise hide, and those whose labels come early
would look like a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.evidence.progress import Progress, rows_at_once
from driftgauge.drift.reference.baseline import Baseline

ERROR: Final = "error"
"""1 for a wrong class and 0 for a right one; of a regression, the absolute error."""
RESIDUAL: Final = "residual"
"""Truth less answer. Of two classes: 1 or 0 less the score. Of several: 1 if the class was right, less its score."""
ERROR_COLUMNS: Final = (ERROR, RESIDUAL)


@dataclass(frozen=True)
class ErrorRows:
    """Rows whose truth is known, in any order."""

    at: FloatArray
    """When each row was predicted, seconds since 1970, shape [n]."""
    errors: FloatArray
    """The columns `ERROR_COLUMNS`, shape [n, 2]."""

    def __post_init__(self) -> None:
        if self.errors.shape != (len(self.at), len(ERROR_COLUMNS)):
            raise ValueError(
                f"errors of shape {self.errors.shape} for {len(self.at)} rows and {len(ERROR_COLUMNS)} columns"
            )

    def __len__(self) -> int:
        return len(self.at)

    def between(self, start: float, end: float) -> ErrorRows:
        """Return the rows predicted from `start` until before `end`, in order of prediction."""
        taken = np.flatnonzero((self.at >= start) & (self.at < end))
        order = taken[np.argsort(self.at[taken], kind="stable")]
        return ErrorRows(self.at[order], self.errors[order])


def class_errors(correct: BoolArray, scores: FloatArray, positive: BoolArray | None = None) -> FloatArray:
    """Return the columns `ERROR_COLUMNS` of a classification, shape [n, 2].

    `positive` says which rows are of the positive class, of two; without it, `scores` are those of the answered
    class, of several.
    """
    truth = correct if positive is None else positive
    return np.stack([1.0 - correct, truth - scores], axis=1)


def value_errors(truth: FloatArray, answers: FloatArray) -> FloatArray:
    """Return the columns `ERROR_COLUMNS` of a regression, shape [n, 2]."""
    residuals = truth - answers
    return np.stack([np.abs(residuals), residuals], axis=1)


def error_table(errors: FloatArray) -> Mapping[str, FloatArray]:
    """Return the errors of held-out rows as a table, of which `build_baseline` makes their reference."""
    return {name: np.ascontiguousarray(errors[:, index]) for index, name in enumerate(ERROR_COLUMNS)}


@dataclass(frozen=True)
class ErrorEvidence:
    """The evidence after some rows with known truth; `ErrorDetector.after` returns the next one.

    It goes into JSON with `errors_json.dumps`.
    """

    progress: Progress
    upto: float
    """Rows predicted before this time are in it, or came too late for it; seconds since 1970."""

    @property
    def evidence(self) -> Evidence:
        """The evidence of each of `ERROR_COLUMNS`, its threshold, and when it was raised."""
        return self.progress.evidence

    @property
    def rows(self) -> int:
        """Rows in it; up to 49 of them wait for their block to fill."""
        return self.progress.head.rows

    @property
    def is_raised(self) -> bool:
        """Whether the errors have changed significantly, for better or worse."""
        return bool(self.evidence.raised.any())

    @property
    def since(self) -> float | None:
        """When the change became significant, by times of prediction; None while it is not."""
        return float(np.nanmin(self.evidence.since)) if self.is_raised else None

    @property
    def log10(self) -> float:
        """The larger evidence of the columns, as a decimal logarithm."""
        return float(np.nanmax(self.evidence.log10))


class ErrorDetector:
    """Updates the evidence of a change in a model's errors.

    For one worker at a time, at each evaluation of ground truth::

        detector = ErrorDetector(held_out.errors, budget, beside=columns_with_evidence)
        state = errors_json.loads(text, detector) if text else detector.start(state_begins)
        rows = ErrorRows(at, class_errors(correct, scores, positive))  # all with a label since state.upto
        state = detector.after(state, rows, matured_until=now - label_maturity_seconds)
        text = errors_json.dumps(state, detector)  # stored before the next call

    The rows may hold more than is due: those before `state.upto` and from `matured_until` on are left out, so the same
    call twice counts nothing twice. A label that comes when its time has passed is left out too.

    With F columns under the detector of drift (`beside`), the errors are raised at E >= A * (F + 2). The sum of the F
    columns' E / F and the errors' E / (F + 2) is on average at most 1 + 2 / (F + 2) for each row. So drift and errors
    together raise their first false alarm after at least A * (F + 2) / (F + 4) rows on average.
    """

    def __init__(self, reference: Baseline, budget: Budget | None = None, *, beside: int = 0) -> None:
        """Make the bets against the errors of held-out rows, a baseline of `error_table`."""
        if reference.names != ERROR_COLUMNS:
            raise ValueError(f"a baseline of {', '.join(reference.names)}, not of {', '.join(ERROR_COLUMNS)}")
        self.reference: Final = reference
        self._detector: Final = reference.detector(budget, beside=beside)

    def start(self, begin: float = -np.inf) -> ErrorEvidence:
        """Return the evidence before the first row; rows predicted before `begin` are left out."""
        return ErrorEvidence(Progress.start(self.reference.binner, self._detector), begin)

    def after(self, before: ErrorEvidence, rows: ErrorRows, *, matured_until: float) -> ErrorEvidence:
        """Return the evidence with the rows that were predicted from `before.upto` until before `matured_until`.

        All labels that ever come of these rows must be among `rows` by now: give the time of day less the maturity.
        """
        if not matured_until > before.upto:
            return before
        due, progress = rows.between(before.upto, matured_until), before.progress
        binner = self.reference.binner
        most = rows_at_once(binner, self._detector)
        for first in range(0, len(due), most):
            own = slice(first, first + most)
            codes: npt.NDArray[np.uint8] = binner.codes(due.errors[own])
            progress = progress.after(binner, self._detector, codes, due.at[own])
        return replace(before, progress=progress, upto=matured_until)
