"""Constraints on the tables of a check: on the values of columns, on rows, and on which columns there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import Reference
from driftgauge.drift.bins import CodeArray, FloatArray
from driftgauge.drift.quality.checker import Checker, QualityOptions, TableFindings
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.report import EXTRA_COLUMNS, REQUIRED, ConstraintVerdict, QualityReport, limits
from driftgauge.drift.quality.significance import MOST_EVIDENCE
from driftgauge.drift.quality.table import TableCounts
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.verdict.rule import Severity
from driftgauge.drift.windows.window import Rows, Window
from driftgauge.models import constraints_file


def constraints_of(options: CheckOptions, reference: Reference) -> Constraints | None:
    """Return the constraints to check: those of the file that is named, or of the baseline; None if there are none.

    ConstraintsError for a file that is wrong.
    """
    if options.no_constraints:
        return None
    if options.constraints is None:
        return reference.constraints()
    found = constraints_file.read(options.constraints)
    constraints_file.refuse_unknown(found, reference.baseline, str(options.constraints))
    return found


@dataclass
class TableQuality:
    """What the tables of one window have of the constraints."""

    counts: TableCounts
    rows: dict[Collection[str], int] = field(default_factory=dict)
    """Rows of each table, by its columns."""

    def add(self, columns: Collection[str], values: FloatArray, codes: CodeArray, at: FloatArray, first: int) -> None:
        """Add rows of a table with these columns; `first` is the number of the first one in its table."""
        names = tuple(columns)
        self.rows[names] = self.rows.get(names, 0) + len(values)
        self.counts.add(Rows(values, codes, at), first)


class TableChecker:
    """Checks windows of tables against constraints."""

    def __init__(
        self,
        constraints: Constraints,
        whole: Baseline,
        compared: Baseline,
        options: CheckOptions,
        named: Collection[str],
    ) -> None:
        """Check the compared columns of a baseline; `named` are other columns that tables may have."""
        self._false_alarm_rows: Final = options.policy.budget.false_alarm_rows
        self._ignored: Final = frozenset(options.left_out)
        features = [name for name in whole.names if name not in RESERVED]
        if not set(features) <= set(compared.names):  # rows that differ in an ignored column alone are no duplicates
            constraints = replace(constraints, duplicates=1.0)
        self._constraints: Final = constraints
        self._known: Final = frozenset([*whole.names, *RESERVED, *constraints.names, *constraints.required, *named])
        shown = QualityOptions.of(options.policy, options.redacted, has_examples=options.has_examples)
        self._checker: Final = Checker(compared, constraints, shown)

    def begin(self) -> TableQuality:
        """Return the counts of a window without rows."""
        return TableQuality(TableCounts(self._checker))

    def report(self, window: Window, seen: TableQuality) -> QualityReport:
        """Return what the rows of a window say of the constraints."""
        found = self._checker.report_on_table(window, seen.counts.findings(), self._false_alarm_rows)
        columns = tuple(self._columns(window, seen.rows))
        ratios = np.append(found.ratios[window.name], [own.ratio for own in columns])
        return replace(found, verdicts=(*found.verdicts, *columns), ratios={window.name: ratios})

    def report_of_counts(self, window: Window) -> QualityReport:
        """Return what the bins of a window say of the constraints, where the rows themselves are gone.

        Constraints that bins do not tell are left out.
        """
        found = self._checker.violations(window)
        told = ~np.isnan(found)
        checked = np.where(told, float(window.rows), 0.0)
        known = TableFindings(np.nan_to_num(found), checked, {})
        report = self._checker.report_on_table(window, known, self._false_alarm_rows)
        unknown = int((~told).sum())
        more = f"{unknown:,} constraints are not checked, because they need the rows themselves"
        return replace(
            report,
            items=tuple(own for own, is_told in zip(report.items, told, strict=False) if is_told),
            verdicts=tuple(own for own, is_told in zip(report.verdicts, told, strict=True) if is_told),
            ratios={window.name: report.ratios[window.name][told]},
            notes=(*report.notes, *([more] if unknown else [])),
        )

    def _columns(self, window: Window, tables: Mapping[Collection[str], int]) -> Iterator[ConstraintVerdict]:
        """Yield the violations by the columns that tables lack or have beside the known ones."""
        for name in self._constraints.required:
            lacking = sum(rows for columns, rows in tables.items() if name not in columns)
            if lacking and name not in self._ignored:
                yield self._verdict(name, REQUIRED, window, lacking, "lack this required column")
        if not self._constraints.extra_columns:
            extra = dict.fromkeys(name for columns in tables for name in columns if name not in self._known)
            for name in extra:
                having = sum(rows for columns, rows in tables.items() if name in columns)
                yield self._verdict(name, EXTRA_COLUMNS, window, having, "have this column, which is not expected")

    def _verdict(self, name: str, constraint: str, window: Window, rows: int, what: str) -> ConstraintVerdict:
        thresholds = limits(0.0, self._constraints)
        ratio = rows / window.rows
        severity: Severity = next((own for own in ("critical", "warning") if ratio >= thresholds[own]), "info")
        return ConstraintVerdict(
            feature=name,
            constraint=constraint,
            severity=severity,
            window=window.name,
            rows=window.rows,
            violations=rows,
            allowed=0.0,
            thresholds=thresholds,
            evidence_log10=MOST_EVIDENCE,
            reason=f"{name}: {rows:,} of the {window.rows:,} rows {what}.",
        )
