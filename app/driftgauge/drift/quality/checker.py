"""Checks windows of rows against constraints."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, UNSEEN, FloatArray, IntArray
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.duplicates import HashArray, distinct, row_hashes
from driftgauge.drift.quality.items import Item, items_of, unchecked_domains
from driftgauge.drift.quality.report import DUPLICATES, ConstraintVerdict, Example, QualityReport, limits
from driftgauge.drift.quality.significance import evidence, share_bound, threshold_log10
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.rule import Severity
from driftgauge.drift.windows.window import Rows, Window

EXAMPLES: Final = 3
"""Rows that a verdict names."""
UNKNOWN_VALUE: Final = "a value that the reference does not have"


@dataclass(frozen=True)
class QualityOptions:
    """Which columns are checked, and what is shown of them."""

    ignored: frozenset[str] = frozenset()
    """Columns that are not checked."""
    silent: frozenset[str] = frozenset()
    """Columns whose severity is at most info."""
    redacted: frozenset[str] = frozenset()
    """Columns of which no value is shown."""
    has_examples: bool = True
    """Whether values are shown at all."""

    @classmethod
    def of(cls, policy: Policy, redacted: Collection[str] = (), *, has_examples: bool = True) -> QualityOptions:
        """Return the options of a policy."""
        silent = frozenset(name for name, own in policy.columns.items() if not own.alert)
        return cls(frozenset(policy.ignored), silent, frozenset(redacted), has_examples)


@dataclass(frozen=True)
class TableFindings:
    """What a table has of each constraint, counted while it is read; arrays have shape [constraints]."""

    found: FloatArray
    """Rows that violate it."""
    checked: FloatArray
    """Rows that were checked."""
    examples: Mapping[int, tuple[Example, ...]]
    """The first rows that violate it, by the constraint's position."""


@dataclass(frozen=True)
class _Seen:
    """What windows have of each constraint, by the window's name; arrays have shape [constraints]."""

    found: Mapping[str, FloatArray]
    """Rows that violate it."""
    checked: Mapping[str, FloatArray]
    """Rows that were checked."""
    ratios: Mapping[str, FloatArray]
    weights: Mapping[str, FloatArray]
    """Evidence of sliding windows."""
    examples: Mapping[int, tuple[Example, ...]] | None = None
    """Those of a table; None if the rows of the windows are looked at."""

    @property
    def of(self) -> str:
        """What the rows are called."""
        return "of the last" if self.examples is None else "of the"


class _Telling:
    """The bins that tell of violations, all constraints' in one array."""

    def __init__(self, items: Sequence[Item]) -> None:
        told = [(place, item) for place, item in enumerate(items) if item.codes or item.suspects]
        bins = [(place, item.index, code) for place, item in told for code in item.codes or item.suspects]
        self.places: Final = np.array([place for place, _ in told], dtype=np.int64)
        self.is_exact: Final = np.array([item.is_binned for _, item in told], dtype=np.bool_)
        """Whether the bins have violations alone; else they may have some, and the others have none."""
        owners, columns, codes = np.array(bins, dtype=np.int64).reshape(-1, 3).T
        self.columns: Final[IntArray] = columns
        self.codes: Final[IntArray] = codes
        self.starts: Final = np.searchsorted(owners, self.places)


class Checker:
    """Checks windows against constraints; it keeps nothing between two calls."""

    def __init__(self, baseline: Baseline, constraints: Constraints, options: QualityOptions | None = None) -> None:
        """Check the columns of a baseline; constraints on other columns are not checked here.

        Windows may have further columns behind those of the baseline.
        """
        self.baseline: Final = baseline
        self.constraints: Final = constraints
        self.options: Final = options or QualityOptions()
        self.items: Final = tuple(
            item for item in items_of(constraints, baseline) if item.name not in self.options.ignored
        )
        self.has_duplicates: Final = constraints.duplicates < 1.0
        self.most_compared: Final = baseline.rows
        """Rows among which duplicates are looked for: their share grows with the rows, and the reference had these."""
        self._telling: Final = _Telling(self.items)
        self._missing: Final = [column.bins.special[MISSING] for column in baseline.columns]
        self._features: Final = np.flatnonzero([name not in RESERVED for name in baseline.names])

    def __len__(self) -> int:
        """Return how many constraints are checked."""
        return len(self.items) + self.has_duplicates

    @cached_property
    def allowed(self) -> FloatArray:
        """Share of rows that may violate each constraint, shape [constraints]."""
        rows = [self.constraints.duplicates] * self.has_duplicates
        return np.array([*(item.allowed for item in self.items), *rows])

    @cached_property
    def _tau(self) -> FloatArray:
        return self._of_constraints(self.baseline.tau)

    def _of_constraints(self, columns: FloatArray) -> FloatArray:
        """Return the number of each constraint's column, shape [constraints]; 1 for one on whole rows."""
        return np.array([*(columns[item.index] for item in self.items), *[1.0] * self.has_duplicates])

    @cached_property
    def _expected(self) -> FloatArray:
        """Share of violations that is expected at most, shape [constraints]."""
        known = np.array([item.reference for item in self.items])
        rows = np.array([item.rows for item in self.items], dtype=np.float64)
        bound = share_bound(known, rows, self._tau[: len(self.items)])
        expected: FloatArray = np.maximum(np.append(bound, [0.0] * self.has_duplicates), self.allowed)
        return expected

    def violations(self, window: Window, hashes: HashArray | None = None) -> FloatArray:
        """Return how many of the checked rows of a window violate each constraint, shape [constraints].

        NaN where the window does not have the rows themselves, and bins do not tell. `hashes` are those of its rows,
        computed where they are None.
        """
        found = self._told_by_bins(window.counts)
        if window.sample is None:  # that there is none now is no answer that a longer series could have
            found[self._telling.places[~self._telling.is_exact]] = np.nan
            return found
        cells = window.sample.by_column
        for place in np.flatnonzero(np.isnan(found[: len(self.items)])).tolist():
            item = self.items[place]
            missing = int(window.counts[item.index, self._missing[item.index]])
            found[place] = item.count(cells[item.index], missing)
        if self.has_duplicates:
            own = self.hashes(window.sample) if hashes is None else hashes
            newest = own[max(0, len(own) - self.most_compared) :]
            found[-1] = len(newest) - distinct(newest)
        return found

    def hashes(self, rows: Rows) -> HashArray:
        """Return a hash of the features of each row, shape [n]."""
        return row_hashes(rows.by_column[index] for index in self._features)

    def _told_by_bins(self, counts: IntArray) -> FloatArray:
        """Return the violations that the counts of bins alone tell, shape [constraints]; NaN where they do not."""
        found = np.full(len(self), np.nan)
        telling = self._telling
        if telling.places.size:
            told = np.add.reduceat(counts[telling.columns, telling.codes], telling.starts)
            found[telling.places] = np.where(telling.is_exact | (told == 0), told, np.nan)
        return found

    def _violations(self, windows: Sequence[Window]) -> dict[str, FloatArray]:
        """Return the violations in each window by its name; rows that several windows have are hashed once."""
        largest = max((own.sample for own in windows if own.sample is not None), key=len, default=None)
        hashes = self.hashes(largest) if largest is not None and self.has_duplicates else None

        def own_hashes(window: Window) -> HashArray | None:
            rows = window.sample
            if hashes is None or largest is None or rows is None or not rows.is_tail_of(largest):
                return None
            return hashes[len(largest) - len(rows) :]

        return {window.name: self.violations(window, own_hashes(window)) for window in windows}

    def _checked(self, window: Window) -> FloatArray:
        """Return how many of a window's rows are checked for each constraint, shape [constraints]."""
        rows = np.full(len(self), float(window.rows))
        if self.has_duplicates and window.sample is not None:
            rows[-1] = min(len(window.sample), self.most_compared)
        return rows

    def report_beside(self, windows: Sequence[Window], drift: Evidence) -> QualityReport:
        """Return what windows say, with the budget and the autocorrelation times of the evidence of drift."""
        return self.report(windows, drift.threshold / max(1, drift.watched), drift.tau)

    def report(
        self, windows: Sequence[Window], false_alarm_rows: float, tau: FloatArray | None = None
    ) -> QualityReport:
        """Return what windows say; verdicts rest on sliding windows.

        `false_alarm_rows` are those between two false alarms on average. `tau` (shape [columns]) are the
        autocorrelation times in force, by default those of the reference.
        """
        found = self._violations(windows)
        return self._report(windows, found, {own.name: self._checked(own) for own in windows}, false_alarm_rows, tau)

    def report_on_table(self, window: Window, findings: TableFindings, false_alarm_rows: float) -> QualityReport:
        """Return what all rows of a table say, of which the window may hold a sample."""
        found, checked = {window.name: findings.found}, {window.name: findings.checked}
        return self._report([window], found, checked, false_alarm_rows, None, findings.examples)

    def _report(
        self,
        windows: Sequence[Window],
        found: Mapping[str, FloatArray],
        checked: Mapping[str, FloatArray],
        false_alarm_rows: float,
        tau: FloatArray | None,
        examples: Mapping[int, tuple[Example, ...]] | None = None,
    ) -> QualityReport:
        sliding = [window for window in windows if window.capacity is not None]
        limit = threshold_log10(false_alarm_rows, len(self) * len(sliding))
        own_tau = self._tau.copy()
        if tau is not None:
            own_tau[: len(self.items)] = np.maximum(
                tau[[item.index for item in self.items]], own_tau[: len(self.items)]
            )
        weights = {w.name: evidence(found[w.name], checked[w.name], self._expected, own_tau) for w in sliding}
        with np.errstate(invalid="ignore"):
            ratios = {name: found[name] / rows for name, rows in checked.items()}
        seen = _Seen(found, checked, ratios, weights, examples)
        verdicts = tuple(self._verdict(place, sliding, seen, limit) for place in range(len(self)))
        return QualityReport(self.constraints, self.items, verdicts, ratios, limit, tuple(self._notes()))

    def _verdict(
        self,
        place: int,
        windows: Sequence[Window],
        seen: _Seen,
        limit: float,
    ) -> ConstraintVerdict:
        significant = [own for own in windows if seen.weights[own.name][place] >= limit]

        def worst(own: Window) -> tuple[float, float, int]:
            ratio = float(seen.ratios[own.name][place])
            return 0.0 if math.isnan(ratio) else ratio, float(seen.weights[own.name][place]), own.rows

        window = max(significant or windows, key=worst)
        item = self.items[place] if place < len(self.items) else None
        violations, weight = int(seen.found[window.name][place]), float(seen.weights[window.name][place])
        rows = int(seen.checked[window.name][place])
        allowed = float(self.allowed[place])
        thresholds = limits(allowed, self.constraints)
        ratio = violations / rows if rows else 0.0
        severity: Severity | None = None
        if weight >= limit:
            severity = next((own for own in ("critical", "warning") if ratio >= thresholds[own]), "info")
            if item is not None and item.name in self.options.silent:
                severity = "info"
        examples: tuple[Example, ...] = ()
        if severity and item:
            examples = self._examples(item, window) if seen.examples is None else seen.examples.get(place, ())
        return ConstraintVerdict(
            feature=None if item is None else item.name,
            constraint=DUPLICATES if item is None else item.kind,
            severity=severity,
            window=window.name,
            rows=rows,
            violations=violations,
            allowed=allowed,
            thresholds=thresholds,
            evidence_log10=weight,
            reason=self._reason(item, f"{violations:,} {seen.of} {rows:,} rows", violations, examples),
            examples=examples,
        )

    def _reason(self, item: Item | None, rows: str, violations: int, examples: Sequence[Example]) -> str:
        if not violations:
            return ""
        share = f"{rows} {'is' if violations == 1 else 'are'}"
        if item is None:
            allowed = f"{self.constraints.duplicates:.4g}"
            return f"{share} equal to an earlier one; a share of {allowed} is allowed."
        column = self.constraints.column(item.name)
        what = "" if column is None else item.violation_in_words(column)
        allowed = f"; a share of {item.allowed:.4g} is allowed" if item.allowed else ""
        said = f"{item.name}: {share} {what}{allowed}."
        shown = ", ".join(own.in_words for own in examples)
        return f"{said} Examples: {shown}." if shown else said

    def _examples(self, item: Item, window: Window) -> tuple[Example, ...]:
        """Return the newest rows that violate a constraint, each value once."""
        rows = window.sample
        return () if rows is None else self.examples(item, rows, self.violating(item, rows)[::-1])

    def violating(self, item: Item, rows: Rows) -> IntArray:
        """Return the positions of the rows that violate a constraint."""
        if item.is_binned:
            return np.flatnonzero(np.isin(rows.codes[:, item.index], item.codes))
        return np.flatnonzero(item.violated(rows.by_column[item.index]))

    def examples(self, item: Item, rows: Rows, positions: IntArray, first: int | None = None) -> tuple[Example, ...]:
        """Return the first of these rows, each value once; none where none may be shown.

        `first` is the number of the first row in its table, if it has one.
        """
        if not self.options.has_examples or item.name in self.options.redacted or item.kind == "completeness":
            return ()
        found: dict[float | str, Example] = {}
        for position in positions[: 50 * EXAMPLES].tolist():
            value = self._value(item, rows, position)
            number = None if first is None else first + position
            found.setdefault(value, Example(value, float(rows.at[position]), number))
            if len(found) == EXAMPLES:
                break
        return tuple(found.values())

    def _value(self, item: Item, rows: Rows, row: int) -> float | str:
        if not item.is_binned:
            return float(rows.values[row, item.index])
        bins, code = self.baseline.bins[item.index], int(rows.codes[row, item.index])
        return UNKNOWN_VALUE if code == bins.special.get(UNSEEN) else bins.names[code]

    def _notes(self) -> list[str]:
        return [
            f"{name}: its domain has values that the baseline does not know, so other new values are not counted; "
            "build the baseline again with rows that have them"
            for name in unchecked_domains(self.constraints, self.baseline)
        ]
