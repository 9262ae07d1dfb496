"""Statistics of tables, compared with numpy's."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.checks.sagemaker.number_profile import NumberProfile
from driftgauge.checks.sagemaker.points import points_of_sketch
from driftgauge.checks.sagemaker.text_profile import MOST_VALUES, TextProfile
from driftgauge.models.creation.baseline import create_baseline

from tests.checks.sagemaker.tables import baseline, profiled, table

pytestmark = pytest.mark.usefixtures("sketches")


def number(cells: list[Any]) -> NumberProfile:
    profile = NumberProfile("x")
    profile.add(pa.chunked_array([pa.array(cells)]))
    return profile


def test_moments_are_those_of_all_rows_however_they_are_split() -> None:
    rows = table(1)
    statistics = [profiled(rows, bytes_at_once=size).statistics() for size in (2_048, 1 << 20)]
    for own in statistics:
        found = own.features[0].numerical_statistics
        assert found is not None
        values = rows["income"]
        expected = [values.mean(), values.sum(), values.std(), values.min(), values.max()]
        assert [found.mean, found.sum, found.std_dev, found.min, found.max] == pytest.approx(expected, rel=1e-12)
    assert [own.dataset.item_count for own in statistics] == [len(rows["income"])] * 2
    assert [feature.inferred_type for feature in statistics[0].features] == ["Fractional", "Integral", "String"]


def test_moments_of_large_numbers_lose_no_digits() -> None:
    values = 1e9 + np.random.default_rng(1).normal(size=3_000)
    profile = NumberProfile("x")
    for part in np.split(values, 3):
        profile.add(pa.chunked_array([part]))
    found = profile.statistics().numerical_statistics
    assert found is not None
    assert found.std_dev == pytest.approx(values.std(), rel=1e-6)


def test_ten_equal_buckets_hold_all_rows() -> None:
    values = np.random.default_rng(2).normal(size=30_000)
    profile = NumberProfile("x")
    profile.add(pa.chunked_array([values]))
    found = profile.statistics().numerical_statistics
    assert found is not None
    buckets = found.distribution.kll.buckets
    counts, bounds = np.histogram(values, 10)
    assert [bucket.lower_bound for bucket in buckets] == pytest.approx(bounds[:-1].tolist())
    assert [bucket.count for bucket in buckets] == pytest.approx(counts.tolist(), abs=0.004 * len(values))
    assert found.distribution.kll.sketch is not None
    points = points_of_sketch(found.distribution.kll.sketch)
    assert points.rows.sum() == len(values)
    assert len(points.values) < len(values) / 4


def test_a_constant_column_is_in_the_last_bucket() -> None:
    found = number([3, 3, 3]).statistics().numerical_statistics
    assert found is not None
    assert [bucket.count for bucket in found.distribution.kll.buckets] == [0] * 9 + [3]


@pytest.mark.parametrize(
    ("cells", "present", "missing", "wrong", "kind"),
    [
        ([1, None, 2], 2, 1, 0, "Integral"),
        ([1.0, float("nan"), 2.5], 2, 1, 0, "Fractional"),
        (["1", "2.5", "oops", "NA", None], 3, 2, 1, "Fractional"),
        ([date(2026, 1, 31), None], 1, 1, 1, "Unknown"),
        ([[1], None, [2]], 2, 1, 2, "Unknown"),
        ([True, False, None], 2, 1, 0, "Integral"),
    ],
)
def test_cells_of_every_kind_are_counted(cells: list[Any], present: int, missing: int, wrong: int, kind: str) -> None:
    own = number(cells)
    assert (own.present, own.missing, own.wrong, own.inferred_type) == (present, missing, wrong, kind)


def test_infinite_numbers_are_present_and_have_no_place_in_the_moments() -> None:
    own = number([1.0, float("inf"), -float("inf")])
    found = own.statistics().numerical_statistics
    assert found is not None
    assert (own.present, found.mean, found.max, own.negative) == (3, 1.0, 1.0, 1)


def test_values_of_text_are_counted_and_listed_up_to_a_limit() -> None:
    column = create_baseline({"city": [f"c{index % 40}" for index in range(2_000)]}).columns[0]
    own = TextProfile(column, None)
    names = [f"n{index}" for index in range(3 * MOST_VALUES)]
    own.add(pa.chunked_array([pa.array([*names, "c1", "c1", None])]), is_written=False)
    found = own.statistics().string_statistics
    assert found is not None
    assert len(found.distribution.categorical.buckets) == MOST_VALUES
    assert found.distinct_count == pytest.approx(3 * MOST_VALUES + 1, rel=0.05)
    assert (own.present, own.missing) == (3 * MOST_VALUES + 2, 1)
    assert own.counts[column.bins.special["unseen"]] == 3 * MOST_VALUES
    assert own.counts[column.bins.category_code("c1")] == 2


def test_cells_without_names_are_present() -> None:
    own = TextProfile(baseline().columns[2], ("a",))
    own.add(pa.chunked_array([pa.array([["a"], None])]), is_written=False)
    assert (own.present, own.missing, own.unknown) == (1, 1, 0)


def test_columns_that_are_absent_or_too_many_are_named(tmp_path: Path) -> None:
    first, second = {**table(1), "extra": [0] * 4_000}, table(2)
    del second["age"]
    found = profiled(first, second)
    assert (found.missing, found.extra, [*found.columns]) == (("age",), ("extra",), ["income", "plan"])
    assert found.rows == 8_000
