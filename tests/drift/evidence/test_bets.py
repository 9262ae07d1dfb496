from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from driftgauge.drift.bins import ABOVE, BELOW, Bins, FloatArray
from driftgauge.drift.evidence.bets import (
    BOUND_LEVEL,
    GRAIN,
    IDLE,
    LARGEST_SCORE,
    LEAST_SHARE,
    LOCATION,
    SCALE,
    TILTS,
    UP,
    BetDesign,
)
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, norm

from tests.effort import examples

TOLERANCE = 0.02


def _bookmaker(bins: Bins, counts: FloatArray, tau: float = 1.0, tolerance: float = TOLERANCE) -> BetDesign:
    return BetDesign([bins], counts[None], np.array([tau]), np.array([True]), np.array([tolerance]))


def _naive(bins: Bins, counts: FloatArray, tau: float, tolerance: float) -> Iterator[tuple[str, list[float], float]]:
    """Yield the kind of each bet of a column, the logarithm of its factor for each bin, and its weight."""
    rows = [count / tau for count in counts[: len(bins.names)]]
    m, k = sum(rows), len(rows)
    p = [(r + 0.5) / (m + 0.5 * k) for r in rows]
    found: dict[str, list[list[float]]] = {"location": [], "scale": [], "up": [], "down": []}
    if bins.rule != "category":
        ordered = range(bins.ordinary.start - 1, bins.ordinary.stop + 1)
        taken = [row if place in ordered else 0.0 for place, row in enumerate(rows)]
        z, varies = _standardised([*_scores(bins, p)], p, taken)
        for name, values, exists, strengths in (
            ("location", z, varies, LOCATION),
            ("scale", *_standardised([value**2 for value in z], p, taken), SCALE),
        ):
            for strength in strengths if varies and exists else ():
                factors = [math.exp(strength * value) for value in values]
                mean = sum(share * factor for share, factor in zip(p, factors, strict=True))
                variance = sum(share * (factor - mean) ** 2 for share, factor in zip(p, factors, strict=True))
                bound = mean + (3.0 / math.sqrt(max(m, 1.0)) + tolerance) * math.sqrt(variance)
                found[name].append([math.log(factor / bound) / tau for factor in factors])
    for part in UP:
        for own in range(k):
            upper = float(beta.ppf(1.0 - BOUND_LEVEL, rows[own] + 1.0, m - rows[own])) if m > rows[own] else 1.0
            upper *= 1.0 + tolerance
            if upper < 1.0:
                inside = math.log((1.0 - part) + part / upper) / tau
                found["up"].append([inside if bin_ == own else math.log(1.0 - part) / tau for bin_ in range(k)])
    for own in range(k):
        lower = float(beta.ppf(BOUND_LEVEL, rows[own], m - rows[own] + 1.0)) if rows[own] > 0 else 0.0
        lower *= 1.0 - tolerance
        if lower > LEAST_SHARE:
            elsewhere = math.log(1.0 + 0.5 * lower / (1.0 - lower)) / tau
            found["down"].append([math.log(0.5) / tau if bin_ == own else elsewhere for bin_ in range(k)])
    weights = dict(zip(found, (0.4, 0.1, 0.4, 0.1) if bins.rule != "category" else (0, 0, 0.8, 0.2), strict=True))
    total = sum(weights[kind] for kind, bets in found.items() if bets)
    for kind, bets in found.items():
        for bet in bets:
            yield kind, bet, weights[kind] / total / len(bets)


def _scores(bins: Bins, p: list[float]) -> Iterator[float]:
    ordinary = range(bins.ordinary.start, bins.ordinary.stop)
    total = sum(p[i] for i in ordinary)
    own = {i: float(norm.ppf((sum(p[j] for j in ordinary if j < i) + p[i] / 2.0) / total)) for i in ordinary}
    if own:
        own[bins.special[BELOW]], own[bins.special[ABOVE]] = own[ordinary[0]], own[ordinary[-1]]
    yield from (own.get(i, 0.0) for i in range(len(p)))


def _standardised(values: list[float], p: list[float], rows: list[float]) -> tuple[list[float], bool]:
    mean = sum(share * value for share, value in zip(p, values, strict=True))
    sd = math.sqrt(sum(share * (value - mean) ** 2 for share, value in zip(p, values, strict=True)))
    taken = [value for value, row in zip(values, rows, strict=True) if row > 0]
    if not taken or max(taken) - min(taken) <= 1e-9:
        return [0.0] * len(values), False
    return [max(-LARGEST_SCORE, min(LARGEST_SCORE, (value - mean) / sd)) for value in values], True


def _columns() -> dict[str, tuple[Bins, FloatArray]]:
    """Return bins of every kind with their reference counts."""
    rng = np.random.default_rng(7)
    rows = 3_000
    normal = rng.standard_normal(rows)
    holes = np.where(rng.random(rows) < 0.05, np.nan, normal)
    zeros = np.where(rng.random(rows) < 0.6, 0.0, rng.exponential(size=rows))
    tail = rng.zipf(1.6, rows).clip(max=400)
    names = tuple(f"c{i}" for i in range(401))
    table: dict[str, FloatArray | Categories] = {
        "normal": normal,
        "holes": holes,
        "zeros": zeros,
        "binary": (rng.random(rows) < 0.5).astype(np.float64),
        "rare": (rng.random(rows) < 0.002).astype(np.float64),
        "constant": np.full(rows, 3.0),
        "empty": np.full(rows, np.nan),
        "few": rng.integers(0, 6, rows).astype(np.float64),
        "category": Categories(rng.integers(0, 5, rows), names[:5]),
        "tail": Categories(tail.astype(np.int64), names),
    }
    baseline = build_baseline(table, created="2026-01-01T00:00:00Z")
    return {column.name: (column.bins, np.array(column.counts)) for column in baseline.columns}


COLUMNS = _columns()


@pytest.mark.parametrize("tau", [1.0, 7.5])
@pytest.mark.parametrize("tolerance", [0.0, TOLERANCE])
@pytest.mark.parametrize("name", COLUMNS)
def test_the_bets_are_those_of_the_formulas(name: str, tolerance: float, tau: float) -> None:
    bins, counts = COLUMNS[name]
    maker = _bookmaker(bins, counts, tau, tolerance)
    width = len(bins.names)
    expected = list(_naive(bins, counts, tau, tolerance))
    # The factors of each bin, of a block that has one row in that bin.
    found = maker.bets.log_factors(np.eye(width)[:, None, :])
    kept = maker.weights > 0
    np.testing.assert_allclose(maker.weights[kept], [weight for *_, weight in expected], rtol=1e-12)
    np.testing.assert_allclose(found[:, kept].T, [bet for _, bet, _ in expected], rtol=1e-9, atol=2.0 * GRAIN)
    assert maker.weights.sum() == pytest.approx(1.0)
    assert (found[:, ~kept] == 0.0).all()


def test_which_bets_a_column_has() -> None:
    kinds = {name: {kind for kind, *_ in _naive(*COLUMNS[name], 1.0, 0.0)} for name in COLUMNS}
    assert kinds["normal"] == {"location", "scale", "up", "down"}
    assert kinds["constant"] == kinds["empty"] == {"up", "down"}
    assert kinds["category"] == {"up", "down"}
    few = _bookmaker(*COLUMNS["binary"])
    assert (few.weights[: len(LOCATION)] > 0).all()


def test_a_binary_column_at_one_half_has_no_scale() -> None:
    baseline = build_baseline({"half": np.tile([0.0, 1.0], 1_000)}, created="")
    maker = _bookmaker(baseline.columns[0].bins, np.array(baseline.columns[0].counts))
    assert (maker.weights[len(LOCATION) : TILTS] == 0).all()


@pytest.mark.parametrize("name", COLUMNS)
def test_no_bet_wins_on_average_where_rows_come_from_the_reference(name: str) -> None:
    bins, counts = COLUMNS[name]
    for tolerance in (0.0, TOLERANCE):
        maker = _bookmaker(bins, counts, tolerance=tolerance)
        width = len(bins.names)
        shares = counts[:width] / counts[:width].sum()
        means = shares @ np.exp(maker.bets.log_factors(np.eye(width)[:, None, :]))
        assert (means <= 1.0 + 1e-12).all()


@pytest.mark.parametrize("name", ["normal", "rare", "tail", "category"])
def test_no_bet_on_a_bin_wins_on_average_wherever_the_truth_lies_within_its_bounds(name: str) -> None:
    bins, counts = COLUMNS[name]
    width, m = len(bins.names), counts.sum()
    maker = _bookmaker(bins, counts, tolerance=0.0)
    factors = np.exp(maker.bets.log_factors(np.eye(width)[:, None, :]))[:, TILTS:]
    for bet, place in enumerate(maker.bets.index.tolist()):
        rows = counts[place]
        low = beta.ppf(BOUND_LEVEL, rows, m - rows + 1.0) if rows else 0.0
        high = beta.ppf(1.0 - BOUND_LEVEL, rows + 1.0, m - rows)
        elsewhere = factors[(place + 1) % width, bet]
        means = [share * factors[place, bet] + (1.0 - share) * elsewhere for share in (low, high)]
        # One that the bin fills may lose at the lower end, but wins nothing at either.
        assert max(means) <= 1.0 + 1e-9


def test_a_block_multiplies_the_factors_of_its_rows() -> None:
    columns = [COLUMNS["normal"], COLUMNS["category"], COLUMNS["constant"]]
    width = max(len(bins.names) for bins, _ in columns)
    counts = np.stack([np.pad(own[: len(bins.names)], (0, width - len(bins.names))) for bins, own in columns])
    maker = BetDesign([bins for bins, _ in columns], counts, np.ones(3), np.ones(3, dtype=bool), np.full(3, TOLERANCE))
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, len(bins.names), 50) for bins, _ in columns], axis=1)
    rows = np.zeros((50, 3, width))
    for row, code in enumerate(codes):
        rows[row, np.arange(3), code] = 1.0
    one_by_one = maker.bets.log_factors(rows).sum(axis=0)
    # Exactly: their logarithms are whole grains, so nothing depends on the order of adding up.
    np.testing.assert_array_equal(maker.bets.log_factors(rows.sum(axis=0)[None])[0], one_by_one)


def test_columns_that_are_not_watched_have_no_bets() -> None:
    bins, counts = COLUMNS["normal"]
    both = BetDesign(
        [bins, bins], np.stack([counts, counts]), np.ones(2), np.array([True, False]), np.full(2, TOLERANCE)
    )
    alone = _bookmaker(bins, counts)
    assert both.singles.tolist() == [alone.singles[0], 0]
    assert both.weights.sum() == pytest.approx(1.0)
    assert (both.weights[TILTS : 2 * TILTS] == 0).all()


def test_against_another_reference_the_bets_are_the_same_and_those_without_ground_lose_a_little() -> None:
    bins, counts = COLUMNS["normal"]
    maker = _bookmaker(bins, counts)
    emptied = counts.copy()
    emptied[:6] = 0.0  # half of the bins have never been seen at that hour: none of them can empty
    other = maker.against(emptied[None])
    assert other.index.tolist() == maker.bets.index.tolist()
    down = len(UP) * len(bins.names)
    betted = set(maker.bets.index[down:].tolist())
    factors = np.exp(other.log_factors(np.eye(len(bins.names))[:, None, :])[:, TILTS + down :])
    for bet, place in enumerate(sorted(betted)):
        assert bool(np.allclose(factors[:, bet], IDLE)) == (place < 6)


def test_without_any_spread_at_an_hour_tilts_lose_a_little_too() -> None:
    bins, counts = COLUMNS["few"]
    one = np.zeros_like(counts)
    one[2] = 1_000.0
    maker = _bookmaker(bins, counts)
    assert (maker.weights[:TILTS] > 0).all()
    factors = np.exp(maker.against(one[None]).log_factors(np.eye(len(bins.names))[:, None, :]))
    np.testing.assert_allclose(factors[:, :TILTS], IDLE, atol=1e-9)
    shares = one[: len(bins.names)] / one.sum()
    assert (shares @ factors <= 1.0 + 1e-9).all()


def test_a_reference_of_one_row_gives_no_ground_for_any_bet() -> None:
    column = build_baseline({"x": np.array([1.0])}, created="").columns[0]
    maker = _bookmaker(column.bins, np.array(column.counts))
    assert maker.weights.sum() == 0.0
    assert maker.singles.tolist() == [0]


@settings(deadline=None, max_examples=examples(100))
@given(
    st.lists(st.integers(0, 100_000), min_size=3, max_size=8),
    st.floats(1.0, 1_000.0),
    st.floats(0.0, 1.0),
)
def test_factors_are_finite_whatever_the_reference(rows: list[int], tau: float, tolerance: float) -> None:
    bins = Bins("value", edges=tuple(float(i) for i in range(len(rows))))
    counts = np.array([0.0, *rows, 0.0, 0.5, 0.0])
    maker = _bookmaker(bins, counts, tau, tolerance)
    factors = maker.bets.log_factors(np.eye(len(counts))[:, None, :])
    assert np.isfinite(factors).all()
    assert maker.weights.sum() == pytest.approx(1.0) or (maker.weights == 0).all()


def test_bets_by_another_tau_are_those_of_a_design_with_it() -> None:
    rng = np.random.default_rng(0)
    baseline = build_baseline({name: rng.standard_normal(20_000) for name in "abc"}, created="")
    watched = np.ones(3, dtype=np.bool_)
    tau = np.array([1.0, 4.0, 8.0])
    plain = BetDesign(baseline.bins, baseline.counts, np.ones(3), watched, np.full(3, 0.02))
    other = BetDesign(baseline.bins, baseline.counts, tau, watched, np.full(3, 0.02))
    found = plain.reweighed(plain.bets, tau, np.array([1, 2]))
    for name in ("tilts", "index", "inside", "outside"):
        np.testing.assert_array_equal(getattr(found, name), getattr(other.bets, name), err_msg=name)
    back = plain.reweighed(found, np.ones(3), np.array([1, 2]))
    np.testing.assert_array_equal(back.inside, plain.bets.inside)


def test_bets_that_a_large_tau_does_not_allow_are_idle() -> None:
    """With 10,000 rows a bin of 2 % surely holds more than 1 %; with an effective 20 rows it may hold nothing."""
    rng = np.random.default_rng(0)
    baseline = build_baseline({"a": (rng.random(10_000) < 0.02).astype(float)}, created="")
    design = BetDesign(baseline.bins, baseline.counts, np.ones(1), np.ones(1, dtype=np.bool_), np.full(1, 0.02))
    tau = np.array([512.0])
    found = design.reweighed(design.bets, tau, np.array([0]))
    idle = np.isclose(found.outside, np.log(IDLE) / 512.0, atol=1e-9) & (found.inside == 0.0)
    assert 0 < idle.sum() < len(idle)
