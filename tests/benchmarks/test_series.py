"""The benchmark of series and bytes: what is counted, and the limits that the defaults keep."""

from __future__ import annotations

from typing import Final

import pytest

from benchmarks.series import CATEGORIES, Size, counted, names, size, sizes_table

DIGITS: Final = 50
"""Bytes by which a status may differ: its rates and durations are those of the machine, with more or fewer digits."""


@pytest.fixture(scope="module")
def default() -> Size:
    return size(10, 4, "", seed=1)


def test_the_defaults_keep_their_limits(default: Size) -> None:
    bins = CATEGORIES + 3
    drift = size(10, 4, "", seed=1, quality=False)
    assert 40 < drift.of_number <= 60
    assert 2 * bins < drift.of_category <= 35 + 2 * bins
    assert 100 < drift.beside <= 400
    assert drift.series > 6 * drift.of_number + 4 * drift.of_category + drift.beside
    assert 0 < default.of_number - drift.of_number <= 12  # constraints: two or three on a column
    assert 0 < default.of_category - drift.of_category <= 12
    assert 0 < default.beside - drift.beside <= 15


def test_a_summary_is_shorter_than_the_whole_and_compression_helps(default: Size) -> None:
    assert default.status_gzip < default.status < default.whole_status / 4
    assert default.metrics_gzip < default.metrics / 4


def test_the_same_seed_gives_the_same_series_and_all_windows_give_more(default: Size) -> None:
    again, everything = size(10, 4, "main", seed=1), size(10, 4, "all", seed=1)
    assert (again.series, again.of_number, again.of_category) == (
        default.series,
        default.of_number,
        default.of_category,
    )
    assert again.status == pytest.approx(default.status, abs=DIGITS)
    assert everything.of_number > 1.5 * default.of_number
    assert everything.status == pytest.approx(default.status, abs=DIGITS)


def test_series_are_counted_by_their_owner() -> None:
    text = b'# TYPE a gauge\na{feature_name="number_0000"} 1\na{feature_name="category_0000"} 1\nb 1\nc 1\n'
    found = counted(text, 2, 1, (b"12", b"123"))
    assert (found.series, found.of_number, found.of_category, found.beside) == (4, 1.0, 1.0, 2)
    assert (found.metrics, found.status, found.whole_status) == (len(text), 2, 3)
    assert names(2, 1) == ["number_0000", "category_0000"]
    assert "| 2 | default | 4 | 1.0 | 1.0 | 2 |" in sizes_table([(2, "", found)])
