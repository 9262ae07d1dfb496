"""The benchmark of large tables: its ratios, its rows, and a short run of Driftgauge's own ways."""

from __future__ import annotations

from pathlib import Path

from benchmarks.tables import SCAN, WAYS, Place, chosen, costs_table, run
from benchmarks.tables_run import Cost


def cost(wall: float, cpu: float, *, status: int = 0, said: str = "") -> Cost:
    return Cost(wall, cpu, 100.0, status, said)


def cells(text: str, name: str) -> list[str]:
    """Return the cells of the row of a table that has this name."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_ratios_are_medians_of_ratios_within_a_round() -> None:
    text = costs_table(
        1_000_000,
        {
            SCAN: [cost(1.0, 1.0), cost(4.0, 2.0), cost(2.0, 2.0)],
            "check": [cost(3.0, 2.0), cost(4.0, 6.0), cost(8.0, 8.0)],
        },
    )

    assert cells(text, "check") == ["check", "4.0", "3.00", "6.0", "3.00", "6.00", "100", "3"]


def test_a_way_that_failed_says_why() -> None:
    text = costs_table(1_000_000, {SCAN: [cost(1.0, 1.0)], "check": [cost(0.1, 0.1, status=1, said="a\nMemoryError")]})

    assert cells(text, "check")[1] == "failed: MemoryError"
    assert cells(text, "check")[-1] == "0"


def test_ways_without_their_environment_are_left_out() -> None:
    assert {way.interpreter for way in chosen("", {})} == {""}
    assert [way.name for way in chosen("bare scan", {"duckdb": "python"})] == [
        way.name for way in WAYS if "bare scan" in way.name
    ]


def test_a_short_run_measures_a_build_and_a_check(tmp_path: Path) -> None:
    ways = chosen("in memory;streamed", {})

    costs = run(Place(tmp_path, {}, 1), ways, 3_000, 1, 1, None)

    for way in ways:
        (found,) = costs[way.name]
        assert found.status == 0, found.said
        assert found.cpu_seconds > 0.0
        assert found.peak_mib > 50.0
