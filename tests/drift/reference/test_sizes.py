"""Expected ranges by size are those of a search through all known sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.reference.sizes import larger_range, of_size
from hypothesis import given
from hypothesis import strategies as st

known_sizes = st.dictionaries(st.integers(1, 50), st.floats(0.0, 2.0), max_size=6)


def searched(known: Mapping[int, float], rows: int) -> float:
    """Return the value of the largest size not above `rows`, by looking at each; of the smallest if all are above."""
    below = [size for size in known if size <= rows]
    if not known:
        return 0.0
    return known[max(below)] if below else known[min(known)]


@given(known_sizes, st.integers(1, 60))
def test_a_range_is_that_of_the_largest_size_not_above(known: dict[int, float], rows: int) -> None:
    assert of_size(known, rows) == searched(known, rows)


@given(known_sizes, known_sizes)
def test_the_larger_of_two_ranges_is_so_at_every_size(own: dict[int, float], its: dict[int, float]) -> None:
    found = larger_range(own, its)
    assert set(found) == {*own, *its}
    for rows in found:
        assert found[rows] == max(searched(own, rows), searched(its, rows))
    assert found == larger_range(its, own)


def test_only_numbers_that_differ_can_be_judged_by_distances() -> None:
    rng = np.random.default_rng(1)
    data: dict[str, FloatArray | Categories] = {
        "a": rng.normal(size=500),
        "b": np.full(500, 7.0),
        "c": Categories(np.arange(500) % 3, ("x", "y", "z")),
    }
    sizing = build_baseline(data, created="").sizing
    assert sizing.can_have("psi").tolist() == [True, True, True]
    assert sizing.can_have("ks").tolist() == [True, True, False]
    assert sizing.can_have("wasserstein").tolist() == [True, False, False]
    assert np.isfinite(sizing.wasserstein_unit).tolist() == [True, False, False]


def test_rows_without_a_value_are_no_rows_of_the_reference() -> None:
    cells = np.arange(400.0)
    cells[::4] = np.nan
    assert build_baseline({"a": cells}, created="").sizing.value_rows.tolist() == [300.0]
