"""What signatures look at: which columns have changed, since when, by how much, and the values since then."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, CodeArray, FloatArray, IntArray
from driftgauge.drift.diagnosis.facts import Facts
from driftgauge.drift.diagnosis.importances import equal_shares
from driftgauge.drift.diagnosis.onset import onset
from driftgauge.drift.novelty.novelty import OUTLIER
from driftgauge.drift.reference.baseline import OUTPUTS, PREDICTION, PREDICTION_CLASS, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.drift.windows.blocks import hours_of
from driftgauge.drift.windows.window import Rows

MOST_COMPARED: Final = 20
"""Moved features whose values are compared with known faults, so that a diagnosis takes a bounded time."""
FEWEST_ROWS: Final = 50
"""Rows since a change that a signature needs."""


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """The facts, and what follows from them for each column; columns are indices into the baseline's."""

    facts: Facts

    @property
    def baseline(self) -> Baseline:
        """The baseline of the report."""
        return self.facts.baseline

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return self.baseline.names

    @cached_property
    def features(self) -> tuple[int, ...]:
        """The columns that are inputs of the model."""
        return tuple(i for i, name in enumerate(self.names) if name not in OUTPUTS)

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """The columns that are answers of the model."""
        return tuple(i for i, name in enumerate(self.names) if name in (PREDICTION, PREDICTION_CLASS))

    @property
    def score(self) -> int | None:
        """The column of the scores; None without one."""
        return self.names.index(PREDICTION) if PREDICTION in self.names else None

    # ------------------------------------------------------------ which columns have changed

    @cached_property
    def alerting(self) -> tuple[int, ...]:
        """The columns whose verdict has the severity warning or critical."""
        return tuple(i for i, own in enumerate(self.facts.report.verdicts) if own.severity in LIMITS)

    @cached_property
    def moved(self) -> tuple[int, ...]:
        """The columns whose change is significant, large or not, features first."""
        verdicts = self.facts.report.verdicts
        found = [i for i, own in enumerate(verdicts) if own.finding is not None and own.finding.significant]
        return tuple(i for i in found if self.names[i] != OUTLIER)

    @cached_property
    def moved_features(self) -> tuple[int, ...]:
        """The features among them."""
        return tuple(i for i in self.moved if i in self.features)

    @cached_property
    def compared(self) -> tuple[int, ...]:
        """The moved features whose values are compared with known faults: those with the largest scores."""
        ranked = sorted(self.moved_features, key=lambda i: (-self.rank_score((i,)), -float(self.psi[i])))
        return tuple(sorted(ranked[:MOST_COMPARED]))

    @cached_property
    def large_features(self) -> tuple[int, ...]:
        """The features whose change is large, significant or not."""
        return tuple(i for i in self.features if self.facts.report.effects[i] >= 1.0)

    @cached_property
    def moved_outputs(self) -> tuple[int, ...]:
        """The answers among them."""
        return tuple(i for i in self.moved if i in self.outputs)

    @cached_property
    def large_outputs(self) -> tuple[int, ...]:
        """The answers whose change is large, significant or not."""
        return tuple(i for i in self.outputs if self.facts.report.effects[i] >= 1.0)

    # ------------------------------------------------------------ how much

    @cached_property
    def importances(self) -> FloatArray:
        """The share of each column in the model; equal ones where they are not known, 0 of outputs."""
        known = self.facts.importances
        shares = equal_shares(self.names[i] for i in self.features) if known is None else known.shares
        return np.array([0.0 if i in self.outputs else shares.get(name, 0.0) for i, name in enumerate(self.names)])

    @cached_property
    def psi(self) -> FloatArray:
        """The noise-corrected PSI of each column, the largest of the sliding windows; 0 where it is not known."""
        windows = [own for own in self.facts.report.windows.values() if own.capacity is not None and own.rows]
        # From the counts, because reports have no PSI of few rows.
        known = [
            own.psi.debiased if self.baseline.is_by_hour else self.baseline.psi(own.counts).debiased for own in windows
        ]
        return np.nan_to_num(np.fmax.reduce(known)) if known else np.zeros(len(self.names))

    @cached_property
    def correlation_squared(self) -> FloatArray:
        """The square of each column's largest change of a correlation on Fisher's scale, less what chance does."""
        change = self.facts.report.correlation
        if change is None or change.rows <= 3:
            return np.zeros(len(self.names))
        chance = 2.0 * math.log(2.0 * change.pairs) + 1.0
        return np.nan_to_num(np.maximum(0.0, change.by_column**2 - chance)) / (change.rows - 3.0)

    @cached_property
    def drift(self) -> FloatArray:
        """How much each column has changed: PSI and the square of the largest change of a correlation."""
        return self.psi + self.correlation_squared

    @cached_property
    def out_of_range(self) -> FloatArray:
        """The share of each column's rows beyond the reference's range, the largest of the sliding windows."""
        windows = [own for own in self.facts.report.windows.values() if own.capacity is not None and own.rows]
        shares = [own.shares.out_of_range for own in windows]
        return np.nan_to_num(np.fmax.reduce(shares)) if shares else np.zeros(len(self.names))

    @cached_property
    def weights(self) -> FloatArray:
        """The importance of each column for the ranking: rows beyond the reference's range count at least on average.

        An importance is measured within that range. It says nothing of a value a thousand times as large.
        """
        usual = np.array([1.0 / len(self.features) if i in self.features else 0.0 for i in range(len(self.names))])
        weights: FloatArray = self.importances + self.out_of_range * np.maximum(0.0, usual - self.importances)
        return weights

    def rank_score(self, columns: tuple[int, ...]) -> float:
        """Return importance times drift of some columns together."""
        return math.fsum(float(self.weights[i] * self.drift[i]) for i in columns)

    def importance(self, columns: tuple[int, ...]) -> float:
        """Return the importance of some columns together."""
        return math.fsum(float(self.importances[i]) for i in columns)

    # ------------------------------------------------------------ rows

    @cached_property
    def rows(self) -> Rows | None:
        """The newest rows; None if there are too few."""
        rows = self.facts.rows
        return rows if rows is not None and len(rows) >= FEWEST_ROWS else None

    @cached_property
    def _onsets(self) -> dict[int, int]:
        return {}

    def onset(self, i: int) -> int:
        """Return the first row of a column's change; 0 if it began before the newest rows, or there are none."""
        if self.rows is None:
            return 0
        if i not in self._onsets:
            bins = len(self.column(i).bins.names)
            known = self.expected(i) if self._hours is None else self.baseline.counts_by_hour[:, i]
            self._onsets[i] = onset(self.rows.codes[:, i], known[..., :bins], self._hours)
        return self._onsets[i]

    @cached_property
    def _hours(self) -> IntArray | None:
        """The hour of the day of each row; None if the baseline is not by hour."""
        return hours_of(self.rows.at) if self.rows is not None and self.baseline.is_by_hour else None

    def reference_values(self, i: int) -> FloatArray:
        """Return values that stand for equal parts of a numeric column's reference, in the hours since its change."""
        values = np.array(self.column(i).quantiles)
        if self._hours is None or not values.size:
            return values
        rows = np.full((len(values), len(self.names)), np.nan)
        rows[:, i] = values
        codes = self.baseline.binner.codes(rows)[:, i]
        by_hour = self.baseline.counts_by_hour[:, i]
        hours = np.bincount(self._hours[self.onset(i) :], minlength=len(by_hour))
        usual = hours @ (by_hour / by_hour.sum(axis=1, keepdims=True))
        return weighted_quantiles(values, usual[codes] / np.bincount(codes)[codes])

    def tau(self, i: int) -> float:
        """Return how many rows of a column carry the information of one independent row."""
        live = self.facts.report.evidence.live
        known = max(1.0, float(self.baseline.tau[i]))
        return known if live is None or not live.is_measured else max(known, float(live.tau[i]))

    def since(self, i: int) -> float | None:
        """Return when a column's change began, as far as the rows and the evidence tell."""
        significant = self.facts.report.verdicts[i].since
        if self.rows is None or not len(self.rows):
            return significant
        began = float(self.rows.at[self.onset(i)])
        return began if significant is None else min(began, significant)

    def earliest(self, columns: tuple[int, ...]) -> float | None:
        """Return when the first of some changes began."""
        return min((at for i in columns if (at := self.since(i)) is not None), default=None)

    def is_redacted(self, i: int) -> bool:
        """Return whether no value of a column is shown."""
        return self.names[i] in self.facts.redacted

    def reason(self, i: int) -> str:
        """Return the reason of a column's verdict; of a redacted one without what its rows have become."""
        verdict = self.facts.report.verdicts[i]
        finding = verdict.finding
        if not self.is_redacted(i) or finding is None or not finding.moved:
            return verdict.reason
        return f"{verdict.name}: {replace(finding, moved='').in_words(verdict.status)}"

    def column(self, i: int) -> ColumnBaseline:
        """Return what the reference says of a column."""
        return self.baseline.columns[i]

    def expected(self, i: int) -> FloatArray:
        """Return the reference's rows in each bin of a column, shape [K]."""
        counts: FloatArray = self.facts.report.main.reference[i]
        return counts

    def values(self, i: int, first: int | None = None) -> FloatArray:
        """Return a column's finite values since its change began, or since a row; empty without rows."""
        if self.rows is None:
            return np.empty(0)
        own = self.rows.values[self.onset(i) if first is None else first :, i]
        return own[np.isfinite(own)]

    def codes(self, i: int, first: int | None = None) -> CodeArray:
        """Return the bins of a column's rows since its change began, or since a row; empty without rows."""
        if self.rows is None:
            return np.empty(0, dtype=np.uint8)
        return self.rows.codes[self.onset(i) if first is None else first :, i]

    def counts(self, i: int) -> FloatArray:
        """Return a column's rows in each bin since its change began; without rows, those of the main window."""
        bins = len(self.column(i).bins.names)
        if self.rows is None:
            return self.facts.report.main.counts[i, :bins].astype(np.float64)
        return np.bincount(self.codes(i), minlength=bins)[:bins].astype(np.float64)

    def missing(self, i: int) -> tuple[float, float]:
        """Return the share of missing values since the change began, and the reference's."""
        code = self.column(i).bins.special[MISSING]
        counts, usual = self.counts(i), self.expected(i)
        return float(counts[code] / max(1.0, counts.sum())), float(usual[code] / max(1.0, usual.sum()))


def weighted_quantiles(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return as many values, ascending, that stand for equal parts of weighted ones; the given ones without weight."""
    order = np.argsort(values)
    up_to = np.cumsum(weights[order])
    if not up_to[-1] > 0.0:
        return values
    levels = (np.arange(len(values)) + 0.5) / len(values)
    found: FloatArray = values[order][np.searchsorted(up_to / up_to[-1], levels).clip(max=len(values) - 1)]
    return found
