from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.quality.checker import Checker, QualityOptions
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.quality.suggestion import suggest, table_facts
from driftgauge.drift.quality.table import TableCounts
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.windows.window import Rows, Window

ROWS = 4_000


def _ages(rows: int = ROWS, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).integers(18, 90, rows).astype(np.float64)


TABLE = {"age": _ages(), "income": np.random.default_rng(1).normal(size=ROWS)}
BASELINE = build_baseline(TABLE, created="2026-01-01T00:00:00Z")
CONSTRAINTS = suggest(BASELINE, table_facts(TABLE, BASELINE))


def _rows(ages: FloatArray) -> Rows:
    values = np.stack([ages, np.random.default_rng(2).normal(size=len(ages))], axis=1)
    return Rows(values, BASELINE.binner.codes(values), np.full(len(ages), np.nan))


def _report(
    rows: Rows, parts: int, constraints: Constraints = CONSTRAINTS, options: QualityOptions | None = None
) -> QualityReport:
    checker = Checker(BASELINE, constraints, options)
    counts = TableCounts(checker)
    first = 0
    for part in np.array_split(np.arange(len(rows)), parts):
        counts.add(Rows(rows.values[part], rows.codes[part], rows.at[part]), first + 1)
        first += len(part)
    binned = BASELINE.binner.counts(rows.codes)
    window = Window("table", len(rows), None, None, binned, None, capacity=len(rows))
    return checker.report_on_table(window, counts.findings(), 1e6)


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_a_table_in_parts_has_the_violations_of_the_whole(parts: int) -> None:
    ages = _ages(1_000, 3)
    ages[40:140] = 900.0
    ages[500:560] = 30.5
    report = _report(_rows(ages), parts)
    found = {(own.feature, own.constraint): own for own in report.verdicts}
    assert found["age", "range"].violations == 100
    assert found["age", "integrality"].violations == 60
    assert found["age", "range"].severity == "critical"
    assert found["age", "range"].examples[0].row == 41
    assert found["age", "range"].reason.startswith("age: 100 of the 1,000 rows are outside")
    assert "900 (row 41)" in found["age", "range"].reason
    assert found["income", "range"].reason == ""


@pytest.mark.parametrize("parts", [1, 3])
def test_duplicates_are_found_across_parts(parts: int) -> None:
    rows = _rows(_ages(900, 3))
    twice = Rows(np.tile(rows.values, (2, 1)), np.tile(rows.codes, (2, 1)), np.tile(rows.at, 2))
    report = _report(twice, parts, replace(CONSTRAINTS, duplicates=0.1))
    duplicates = report.verdicts[-1]
    assert (duplicates.violations, duplicates.rows) == (900, 1_800)
    assert duplicates.severity == "critical"


def test_duplicates_are_looked_for_among_as_many_rows_as_the_reference_has() -> None:
    rows = _rows(_ages(ROWS + 500, 3))
    duplicates = _report(rows, 4, replace(CONSTRAINTS, duplicates=0.1)).verdicts[-1]
    assert (duplicates.violations, duplicates.rows) == (0, ROWS)


def test_without_examples_no_value_is_shown() -> None:
    ages = _ages(1_000, 3)
    ages[:100] = 900.0
    report = _report(_rows(ages), 2, options=QualityOptions(has_examples=False))
    assert report.worst_first[0].examples == ()
    assert "900" not in report.reason
