from __future__ import annotations

import pytest
from driftgauge.releases.figures import UNKNOWN, Counts, Figures, compared, figures_of, quantile

BOUNDS = (0.001, 0.01, 0.1)


def test_quantiles_are_those_of_prometheus() -> None:
    latency = (50.0, 40.0, 10.0, 0.0)
    assert quantile(latency, BOUNDS, 0.5) == pytest.approx(0.001)
    assert quantile(latency, BOUNDS, 0.7) == pytest.approx(0.001 + 0.009 * 0.5)
    assert quantile(latency, BOUNDS, 0.99) == pytest.approx(0.01 + 0.09 * 0.9)


def test_a_quantile_in_the_last_bucket_is_its_lower_bound() -> None:
    assert quantile((0.0, 0.0, 0.0, 5.0), BOUNDS, 0.5) == 0.1


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile((0.0,) * 4, BOUNDS, 0.5) is None
    assert figures_of(Counts((0.0,) * 4, 0.0, 0.0), BOUNDS) == Figures(0, None, None, None)


def test_a_release_counts_from_where_it_began() -> None:
    begun, now = Counts((1.0, 2.0, 0.0, 0.0), 3.0, 1.0), Counts((1.0, 5.0, 0.0, 1.0), 9.0, 3.0)
    assert now.since(begun) == Counts((0.0, 3.0, 0.0, 1.0), 6.0, 2.0)
    assert now.since(None) == now


def test_a_state_that_was_deleted_meanwhile_counts_from_zero() -> None:
    now = Counts((1.0, 0.0, 0.0, 0.0), 1.0, 0.0)
    assert now.since(Counts((9.0, 0.0, 0.0, 0.0), 9.0, 0.0)) == now


def test_changes_are_relative_to_the_release_before() -> None:
    before, now = Figures(500, 0.002, 0.01, 0.001), Figures(100, 0.003, 0.02, 0.005)
    changes = compared(now, before)
    assert changes.p50_ratio == pytest.approx(0.5)
    assert changes.p99_ratio == pytest.approx(1.0)
    assert changes.error_ratio == pytest.approx(0.006 / 0.002 - 1.0)


def test_one_error_after_none_is_a_finite_increase() -> None:
    changes = compared(Figures(1000, 0.001, 0.001, 0.001), Figures(1000, 0.001, 0.001, 0.0))
    assert changes.error_ratio == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (Figures(99, 0.1, 0.1, 0.0), Figures(500, 0.1, 0.1, 0.0)),
        (Figures(500, 0.1, 0.1, 0.0), Figures(99, 0.1, 0.1, 0.0)),
        (Figures(500, 0.1, 0.1, 0.0), None),
    ],
)
def test_few_requests_are_not_compared(now: Figures, before: Figures | None) -> None:
    assert compared(now, before) == UNKNOWN


def test_json_keeps_everything() -> None:
    counts, figures = Counts((1.0, 2.5), 3.0, 4.0), Figures(9, None, 0.5, 0.25)
    assert Counts.from_json(counts.as_json()) == counts
    assert Figures.from_json(figures.as_json()) == figures
    assert Counts.from_json(None) is None
    assert Figures.from_json(None) is None
