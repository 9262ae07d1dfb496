"""The baseline: what is kept of the reference, column by column."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np

from driftgauge.about import NOTHING, About
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import ABOVE, BELOW, MISSING, Bins, BoolArray, FloatArray, IntArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.detector import Detector
from driftgauge.drift.novelty.novelty import OUTLIER, Novelty
from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer
from driftgauge.drift.reference.columns import NO_CORRELATIONS, ColumnBaseline, CorrelationTable
from driftgauge.drift.reference.content import baseline_content
from driftgauge.drift.reference.sizes import SizeReference, larger_range, larger_ranges, of_size
from driftgauge.drift.scales import Scales
from driftgauge.drift.statistics.correlation import CorrelationComparison, RowCorrelations
from driftgauge.drift.statistics.psi import (
    Folding,
    Psi,
    ZeroBin,
    psi,
    psi_clip,
    psi_clip_terms,
    psi_terms,
    special_codes,
)
from driftgauge.drift.statistics.significance import SignificanceTest
from driftgauge.drift.statistics.two_sample import ReferenceSample, SampleComparison
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.errors import BaselineError

SCHEMA_VERSION: Final = 3
PREDICTION: Final = "prediction"
PREDICTION_CLASS: Final = "prediction_class"
RESERVED: Final = (PREDICTION, PREDICTION_CLASS)
OUTPUTS: Final = (*RESERVED, OUTLIER)
"""The monitored columns that are no features: the model's answers, and whether a row is an outlier."""
LABEL: Final = "label"
"""The only column of the baseline of the target."""


@dataclass(frozen=True, repr=False)
class Baseline:
    """What windows and evidence are compared with, computed once from the reference."""

    columns: tuple[ColumnBaseline, ...]
    rows: int
    """Rows of the reference table."""
    created: str
    """RFC 3339, UTC."""
    time_column: str | None = None
    """The column that orders the reference; without it, expected ranges are unknown."""
    zero_bin: ZeroBin = "jeffreys"
    """The formula of PSI."""
    correlations: CorrelationTable = NO_CORRELATIONS
    """Of the columns of one table; scores of another table are left out."""
    schema_version: int = SCHEMA_VERSION
    about: About = NOTHING
    """Whose the model is. No part of the hash: the owner may change while the state goes on."""
    novelty: Novelty | None = None
    """What scores the novelty of rows; None in a baseline of an earlier version."""

    def __repr__(self) -> str:
        order = f", in order of {self.time_column}" if self.time_column else ""
        return f"<Baseline of {self.rows:,} rows{order}: {len(self.columns):,} columns>"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names, features first, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over everything but the date of creation and `about`; it identifies a baseline."""
        content = {**baseline_content(self), "created": None}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def binner(self) -> Binner:
        """The baseline's bins, ready to count rows."""
        return Binner(self.bins)

    @cached_property
    def counts(self) -> FloatArray:
        """Reference rows in each bin, shape [columns, K], zero beyond a column's own bins."""
        padded = np.zeros((len(self.columns), self.binner.width))
        for row, column in enumerate(self.columns):
            padded[row, : len(column.counts)] = column.counts
        return padded

    @cached_property
    def bins(self) -> tuple[Bins, ...]:
        """The columns' bins, in order."""
        return tuple(column.bins for column in self.columns)

    @cached_property
    def special_codes(self) -> dict[str, IntArray]:
        """The code of each special bin in every column, shape [columns]; -1 where there is none."""
        return special_codes(self.bins)

    @cached_property
    def novelty_scorer(self) -> NoveltyScorer | None:
        """What scores the novelty of rows; None where the baseline cannot tell it."""
        return None if self.novelty is None else NoveltyScorer(self.novelty, self.columns)

    @cached_property
    def has_outliers(self) -> bool:
        """Whether outliers are watched: the last column says which rows are."""
        return self.novelty is not None and self.names[-1] == OUTLIER

    @cached_property
    def numeric(self) -> BoolArray:
        """Which columns hold numbers, shape [columns]."""
        return np.array([column.kind == "numeric" for column in self.columns])

    @cached_property
    def in_sample(self) -> BoolArray:
        """Which columns are scores of the training rows, shape [columns]."""
        return np.array([column.in_sample for column in self.columns])

    @cached_property
    def _variation_sizes(self) -> list[int]:
        return sorted({size for column in self.columns for size in column.expected_range})

    @cached_property
    def _variations(self) -> FloatArray:
        """Expected ranges, shape [sizes, columns]; a size that a column lacks has that of the next smaller one."""
        variations = [column.expected_range for column in self.columns]
        known = [[of_size(variation, size) for variation in variations] for size in self._variation_sizes]
        return np.array(known or [[0.0] * len(self.columns)])

    def expected_range(self, rows: int) -> FloatArray:
        """Return the expected range of windows of `rows` rows, shape [columns]; 0 where unknown.

        It is that of the largest measured size not above `rows` (a smaller window varies more), or of the
        smallest.
        """
        variation: FloatArray = self._variations[max(0, bisect_right(self._variation_sizes, rows) - 1)]
        return variation

    @cached_property
    def _folding(self) -> Folding:
        return Folding(self.bins)

    @cached_property
    def is_by_hour(self) -> bool:
        """Whether rows are compared by hour of the day."""
        return any(column.by_hour for column in self.columns)

    @cached_property
    def counts_by_hour(self) -> FloatArray:
        """Reference rows in each bin for each hour of the day (UTC), shape [24, columns, K].

        Where a column has few rows in an hour, or is not compared by hour, those of the whole reference.
        """
        rows = np.repeat(self.counts[None], HOURS, axis=0)
        for index, column in enumerate(self.columns):
            for hour, counts in column.by_hour.items():
                rows[hour, index, : len(counts)] = counts
        return rows

    @cached_property
    def _told_by_hour(self) -> BoolArray:
        """Which hours have reference rows of their own, shape [24, columns]."""
        return np.array([[hour in column.by_hour for column in self.columns] for hour in range(HOURS)])

    @property
    def hours_with_few_rows(self) -> list[int]:
        """Hours of the day (UTC) that a baseline by hour compares with the whole reference."""
        columns = [column.by_hour for column in self.columns if column.by_hour]
        return [hour for hour in range(HOURS) if any(hour not in known for known in columns)]

    def expected(self, hours: IntArray | None) -> FloatArray:
        """Return the reference rows in each bin that a window is compared with, shape [..., columns, K].

        `hours` are the window's rows in each hour of the day, shape [..., 24], None where unknown. By hour, the
        shares are those of the hours, weighted by the window's rows in them; the number of rows gives the
        variance of such a mixture.
        """
        if hours is None or not self.is_by_hour:
            return self.counts
        rows = hours.sum(axis=-1, keepdims=True)
        weights = hours / np.maximum(rows, 1)
        in_hour = self.counts_by_hour.sum(axis=2)
        shares = np.einsum("...h,hfk->...fk", weights, self.counts_by_hour / in_hour[:, :, None])
        # Hours that are compared with the whole reference share its rows.
        apart = self._told_by_hour
        variance = np.einsum("...h,hf->...f", weights**2, apart / in_hour)
        variance += np.einsum("...h,hf->...f", weights, ~apart) ** 2 / self.counts.sum(axis=1)
        with np.errstate(divide="ignore"):
            effective = 1.0 / variance
        return np.where(
            rows[..., None] > 0, np.where(np.isfinite(effective), effective, 0.0)[..., None] * shares, self.counts
        )

    def psi(self, counts: FloatArray | IntArray, hours: IntArray | None = None) -> Psi:
        """Compare counts, shape [..., columns, K], with the reference by the baseline's own formula.

        `hours`, shape [..., 24], are the rows in each hour of the day: see `expected`.
        """
        current, reference = counts.astype(np.float64), self.expected(hours)
        if self.zero_bin == "jeffreys":
            return psi(current, reference)
        return psi_clip(self._folding(current), self._folding(reference))

    def psi_terms(self, counts: FloatArray | IntArray, reference: FloatArray) -> FloatArray:
        """Return what each bin adds to `psi`, shape [..., columns, K]; `reference` is what `expected` gives."""
        current = counts.astype(np.float64)
        if self.zero_bin == "jeffreys":
            return psi_terms(current, reference)
        return psi_clip_terms(self._folding(current), self._folding(reference))

    @cached_property
    def tau(self) -> FloatArray:
        """Autocorrelation times, shape [columns]; 1 where unknown."""
        return np.array([1.0 if column.tau is None else column.tau for column in self.columns])

    @cached_property
    def timed(self) -> BoolArray:
        """Whose autocorrelation time the reference's times gave, shape [columns]."""
        return np.array([column.tau is not None for column in self.columns])

    @cached_property
    def expected_live_tau(self) -> FloatArray:
        """Largest autocorrelation times of live rows that the reference accounts for, shape [columns]; 0 if unknown."""
        return np.array([column.expected_live_tau or 0.0 for column in self.columns])

    def detector(
        self,
        budget: Budget | None = None,
        *,
        live: bool = True,
        watched: BoolArray | None = None,
        tolerance: FloatArray | None = None,
        beside: int = 0,
    ) -> Detector:
        """Return the detector of evidence; it does not watch scores of training rows.

        It measures the dependence between live rows too, unless `live` is False. `watched` and `tolerance` (shape
        [columns]) say which columns have a detector, by default all, and which of their shifts are ignored, by
        default those of the budget. `beside` are the columns of another detector that share the budget.
        """
        return Detector(
            self.bins,
            self.counts,
            budget,
            tau=self.tau,
            by_hour=self.counts_by_hour if self.is_by_hour else None,
            watched=~self.in_sample if watched is None else watched & ~self.in_sample,
            tolerance=tolerance,
            timed=self.timed if live else None,
            expected_live_tau=self.expected_live_tau,
            beside=beside,
        )

    @cached_property
    def significance(self) -> SignificanceTest:
        """The test that counts come from the reference's distribution."""
        return SignificanceTest(self.bins, self.counts)

    @cached_property
    def scales(self) -> Scales:
        """The scales that values are standardised with."""
        low, high = self.numbers("min"), self.numbers("max")
        return Scales.of(self.numbers("mean"), self.numbers("std"), low, high, self.numeric)

    @cached_property
    def sizing(self) -> SizeReference:
        """What the reference says of other statistics than PSI."""
        return SizeReference(self.columns, self.scales)

    @cached_property
    def sample_comparison(self) -> SampleComparison:
        """The comparison of raw rows with the reference."""
        known = np.array([max(1.0, c.rows - c.counts[c.bins.special[MISSING]]) for c in self.columns])
        below, above = (
            np.array([c.counts[c.bins.special[end]] if end in c.bins.special else 0.0 for c in self.columns]) / known
            for end in (BELOW, ABOVE)
        )
        quantiles = [column.quantiles for column in self.columns]
        return SampleComparison(ReferenceSample.of(quantiles, below, above, self.numeric), self.scales)

    @cached_property
    def row_correlations(self) -> RowCorrelations:
        """The correlations of rows given as codes."""
        taken = np.isin(self.names, self.correlations.columns)
        return RowCorrelations(self.bins, self.counts, taken)

    @cached_property
    def correlation_comparison(self) -> CorrelationComparison:
        """The comparison of correlations with the reference's."""
        return CorrelationComparison(self.row_correlations.columns, len(self.columns), self.correlations.correlations())

    def numbers(self, name: Literal["mean", "std", "min", "max"]) -> FloatArray:
        """Return one reference moment of every column, shape [columns]; NaN for categories."""
        return np.array([getattr(column, name) for column in self.columns], dtype=np.float64)


def joined(first: Baseline, second: Baseline, *, in_sample: bool = False) -> Baseline:
    """Return `first` with the columns of `second` (the scores) appended; both must use the same formula."""
    if first.zero_bin != second.zero_bin:
        raise BaselineError(f"the features were compared by {first.zero_bin}, the scores by {second.zero_bin}")
    scores = tuple(replace(column, in_sample=in_sample) for column in second.columns)
    return replace(first, columns=first.columns + scores)


def measuring_length(baseline: Baseline, names: Collection[str]) -> Baseline:
    """Return the baseline with some of its columns marked as lengths of free text."""
    columns = tuple(replace(column, of_text=column.name in names) for column in baseline.columns)
    return replace(baseline, columns=columns)


def varying_as(baseline: Baseline, other: Baseline) -> Baseline:
    """Return the baseline with the larger expected ranges and tau of it and another of the same columns."""
    columns = []
    for own, its in zip(baseline.columns, other.columns, strict=True):
        larger = own if (own.tau or 0.0) >= (its.tau or 0.0) else its
        variation = larger_range(own.expected_range, its.expected_range)
        live = max((one.expected_live_tau for one in (own, its) if one.expected_live_tau is not None), default=None)
        larger = replace(larger, expected_live_tau=live)
        taken = {key: getattr(larger, key) for key in ("tau", "trending", "expected_live_tau")}
        columns.append(replace(own, expected_range=variation, expected_sizes=larger_ranges(own, its), **taken))
    return replace(baseline, columns=tuple(columns))


# ---------------------------------------------------------------- as text


def dumps(baseline: Baseline) -> str:
    """Return the baseline as JSON text, its hash included."""
    stated = baseline.about.stated
    about = {"about": stated} if stated else {}
    return json.dumps({**about, **baseline_content(baseline), "hash": baseline.hash}, indent=1) + "\n"
