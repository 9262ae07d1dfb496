"""The benchmark of the rules across replicas: what is read, what is computed from it, and one small run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.replicas import Case, Cost, computed_table, cost_of, costs_table, measured, write_counters
from tests.e2e.programs import needs_servers


def test_a_case_counts_the_bins_of_features_and_score_of_all_servers() -> None:
    case = Case(10, 100, "1h")
    assert case.series == 10 * 101 * 13
    assert case.samples == case.series * 240


def test_counters_are_openmetrics_that_grow(tmp_path: Path) -> None:
    write_counters(Case(1, 1, "5m"), tmp_path / "text", 1_700_000_000, seed=1)
    first, *lines, last = (tmp_path / "text").read_text().splitlines()
    assert (first, last) == ("# TYPE model_feature_bin_rows counter", "# EOF")
    assert len(lines) == 2 * 13 * 21
    values = [float(line.split()[-2]) for line in lines[:21]]
    assert values == sorted(values)
    assert lines[20].endswith(" 1700000000")


def test_the_costs_of_series_and_samples_are_told_apart() -> None:
    cases = [Case(10, 100, "5m"), Case(10, 100, "1h"), Case(100, 100, "5m")]
    found = [Cost(own, own.series * 5e-6 + own.samples * 4e-8, 2**20) for own in cases]
    assert cost_of(found) == pytest.approx((5e-6, 4e-8), rel=1e-6)
    assert "| 10 | 100 | 1h | 13,130 | 3,151,200 |" in costs_table(found)
    computed = computed_table(5e-6, 4e-8, ((1_000, 1_000),))
    # (5e-6 + 20 × 4e-8) s × 13,013,000 each 15 s, and so on for 240 and 5,760 samples each 120 and 240 s
    assert "| 1,000 | 1,000 | 13,013,000 | 5 | 1.6 | 13 | 100,100 |" in computed


@needs_servers
@pytest.mark.e2e
def test_a_small_case_is_measured_in_a_prometheus_of_its_own() -> None:
    found = measured(Case(2, 3, "5m"), rounds=1, seed=1)
    assert found.cpu_seconds >= 0
    assert found.memory_bytes > 1e6
