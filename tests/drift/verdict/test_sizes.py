from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.verdict.comparison import compare, effects_of
from driftgauge.drift.verdict.policy import BOUNDED, OF_VALUES, STATISTICS, ColumnPolicy, Policy, Statistic
from driftgauge.drift.verdict.report import Carryover, DriftReport, evaluate, update_latches
from driftgauge.drift.verdict.rule import JUDGED_ROWS, LIMITS, Status
from driftgauge.drift.verdict.sizes import IN_WORDS, range_notes, unusable
from driftgauge.drift.windows.window import Rows, Window, sliding_windows

from tests.monitors import evidence_of, small_baseline, timed_baseline

CREATED = "2026-01-01T00:00:00Z"
OTHERS = STATISTICS[1:]
COLUMNS = ("normal", "skewed", "flag", "city")
NUMBERS = COLUMNS[:3]


def _draw(rng: np.random.Generator, n: int, shift: float = 0.0) -> FloatArray:
    """Return rows of the four columns; `shift` moves all of them."""
    return np.column_stack(
        [
            rng.normal(shift, 1.0, n),
            np.exp(rng.normal(0.6 * shift, 0.6, n)),
            (rng.random(n) < 0.5 + 0.4 * np.tanh(shift)).astype(np.float64),
            (rng.random(n)[:, None] > np.array([0.5, 0.8, 0.95]) - 0.3 * np.tanh(shift)).sum(axis=1),
        ]
    )


@functools.cache
def _baseline() -> Baseline:
    rows = _draw(np.random.default_rng(0), 10_000)
    table = {name: rows[:, i] for i, name in enumerate(NUMBERS)}
    return build_baseline(
        {**table, "city": Categories(rows[:, 3].astype(np.int64), ("a", "b", "c", "d"))}, created=CREATED
    )


def _window(baseline: Baseline, values: FloatArray) -> Window:
    at = 100.0 + np.arange(len(values), dtype=np.float64)
    rows = Rows(values, baseline.binner.codes(values), at)
    return sliding_windows(rows, (len(values),), 0.0, baseline.binner)[0]


def _effects(policy: Policy, windows: Sequence[FloatArray]) -> FloatArray:
    """Return the size of each column's change in units of its threshold, shape [windows, columns]."""
    found = compare(_baseline(), [_window(_baseline(), values) for values in windows], policy)
    return np.stack([window.effect("warning") for window in found])


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize(("rows", "often"), [(JUDGED_ROWS, 0.02), (1_000, 0.0)])
def test_windows_without_drift_are_not_large(statistic: Statistic, rows: int, often: float) -> None:
    rng = np.random.default_rng(1)
    effects = _effects(Policy(statistic=statistic), [_draw(rng, rows) for _ in range(60)])
    assert not np.isnan(effects).any()
    assert (effects >= 1.0).mean() <= often


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_large_shift_is_large_by_every_statistic(statistic: Statistic) -> None:
    rng = np.random.default_rng(2)
    effects = _effects(Policy(statistic=statistic), [_draw(rng, 1_000, shift=1.0)])
    assert effects.min() > 1.0


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_larger_shift_has_a_larger_effect(statistic: Statistic) -> None:
    shifts = (0.0, 0.3, 0.6, 1.0, 1.5)
    windows = [_draw(np.random.default_rng(3), 4_000, shift) for shift in shifts]
    effects = _effects(Policy(statistic=statistic), windows)
    assert (np.diff(effects, axis=0) > 0.0).all()


def test_noise_is_what_the_value_is_without_drift() -> None:
    rng, columns = np.random.default_rng(4), range(2)  # of values that do not repeat
    for statistic in OTHERS:
        policy = Policy(statistic=statistic)
        found = compare(_baseline(), [_window(_baseline(), _draw(rng, 1_000)) for _ in range(60)], policy)
        value = np.stack([window.sizes.value for window in found])[:, columns]
        noise = np.stack([window.sizes.noise for window in found])[:, columns]
        power = 1 if statistic == "kl" else 2
        assert np.mean(value**power, axis=0) == pytest.approx(np.mean(noise**power, axis=0), rel=0.35)


def test_a_category_is_judged_by_psi_where_the_statistic_needs_numbers() -> None:
    for statistic in OF_VALUES:
        assert Policy(statistic=statistic).statistics(_baseline()) == (*[statistic] * 3, "psi")
    assert Policy(statistic="js").statistics(_baseline()) == ("js",) * 4


def test_a_column_has_its_own_statistic_and_thresholds() -> None:
    own = ColumnPolicy(statistic="ks", size_thresholds={"ks": (0.3, 0.6)})
    policy = Policy(statistic="js", size_thresholds={"js": (0.2, 0.5)}, columns={"skewed": own})
    window = compare(_baseline(), [_window(_baseline(), _draw(np.random.default_rng(5), 1_000))], policy)[0]
    assert window.sizes.statistics == ("js", "ks", "js", "js")
    assert window.sizes.thresholds["warning"].tolist() == [0.2, 0.3, 0.2, 0.2]
    assert window.sizes.thresholds["critical"].tolist() == [0.5, 0.6, 0.5, 0.5]
    assert window.thresholds["warning"].tolist() == [0.1] * 4  # those of PSI


def test_by_psi_is_as_ever() -> None:
    window = compare(_baseline(), [_window(_baseline(), _draw(np.random.default_rng(6), 1_000, 0.5))], Policy())[0]
    assert window.sizes.statistics == ("psi",) * 4
    assert window.sizes.debiased.tolist() == window.psi.debiased.tolist()
    assert window.effect("warning").tolist() == (window.psi.debiased / 0.1).tolist()


def test_too_few_values_do_not_judge_a_column_of_mostly_missing_ones() -> None:
    rows = _draw(np.random.default_rng(7), 1_000, shift=2.0)
    rows[: 1_001 - JUDGED_ROWS, 0] = np.nan
    effects = _effects(Policy(statistic="ks"), [rows])[0]
    assert np.isnan(effects[0])
    assert effects[1] > 1.0


def _report(policy: Policy, values: FloatArray, *, raised: Sequence[str] = ()) -> DriftReport:
    baseline, window = _baseline(), _window(_baseline(), values)
    evidence = evidence_of(baseline, dict.fromkeys(raised, 50.0), thresholds=10.0)
    before = replace(Carryover.start(baseline.detector(live=False)), evidence=evidence)
    return evaluate(baseline, [window], window.rows, before, replace(policy, windows=(window.rows,)), 2_000.0)[0]


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_reason_names_the_statistic(statistic: Statistic) -> None:
    shifted = _draw(np.random.default_rng(8), 1_000, shift=1.0)
    report = _report(Policy(statistic=statistic, learning_seconds=0.0), shifted, raised=["normal"])
    assert report.verdicts[0].status is Status.DRIFT_DETECTED
    assert f"large ({IN_WORDS[statistic]} " in report.verdicts[0].reason


def test_a_change_that_is_large_by_one_statistic_may_be_small_by_another() -> None:
    values = _draw(np.random.default_rng(9), 1_000)
    values[:, 0] += 0.3
    by = {
        statistic: _report(Policy(statistic=statistic, learning_seconds=0.0), values, raised=["normal"]).verdicts[0]
        for statistic in STATISTICS
    }
    assert by["psi"].status is Status.NORMAL
    assert by["wasserstein"].status is Status.DRIFT_DETECTED


@pytest.mark.parametrize("statistic", STATISTICS)
def test_latches_of_rows_are_those_of_an_evaluation(statistic: Statistic) -> None:
    policy = Policy(statistic=statistic, windows=(1_000,))
    values = _draw(np.random.default_rng(10), 1_000, shift=1.0)
    window = _window(_baseline(), values)
    before = Carryover.start(_baseline().detector(live=False))
    _, after = evaluate(_baseline(), [window], 1_000, before, policy, 2_000.0)
    assert update_latches(_baseline(), [window], before.latched, policy).tolist() == after.latched.tolist()
    assert after.latched[0].all()


@pytest.mark.parametrize("statistic", STATISTICS)
def test_effects_of_rows_are_those_of_a_comparison(statistic: Statistic) -> None:
    own = {"flag": ColumnPolicy(statistic="wasserstein"), "skewed": ColumnPolicy(statistic="js")}
    values = _draw(np.random.default_rng(13), 2_000, shift=0.2)
    values[:1_800, 0] = np.nan
    rows = Rows(values, _baseline().binner.codes(values), 100.0 + np.arange(2_000.0))
    windows = sliding_windows(rows, (100, 600, 2_000), 0.0, _baseline().binner)
    for policy in (Policy(statistic=statistic), Policy(statistic=statistic, columns=own)):
        compared = compare(_baseline(), windows, policy)
        for index, limit in enumerate(LIMITS):
            found, expected = effects_of(_baseline(), windows, policy)[index], [w.effect(limit) for w in compared]
            assert found == pytest.approx(np.array(expected), rel=1e-12, nan_ok=True)


def test_the_expected_range_of_the_reference_is_the_limit_where_it_is_above() -> None:
    columns = tuple(replace(own, expected_sizes={"ks": {500: 0.5, 2_000: 0.05}}) for own in _baseline().columns)
    baseline = replace(_baseline(), columns=columns)
    for rows, limit, critical in ((1_000, 0.5, 0.5 + 0.5 / 9.0), (2_000, 0.1, 0.2)):
        window = _window(baseline, _draw(np.random.default_rng(11), rows))
        sizes = compare(baseline, [window], Policy(statistic="ks"))[0].sizes
        assert sizes.thresholds["warning"][0] == pytest.approx(limit)
        assert sizes.thresholds["critical"][0] == pytest.approx(critical)
        assert bool(sizes.by_expected_range[0]) == (rows == 1_000)
        assert not sizes.by_expected_range[3]  # judged by PSI


@pytest.mark.parametrize("statistic", BOUNDED)
def test_a_statistic_that_usually_is_near_its_bound_can_be_critical(statistic: Statistic) -> None:
    columns = tuple(replace(own, expected_sizes={statistic: {500: 0.75}}) for own in _baseline().columns)
    baseline = replace(_baseline(), columns=columns)
    sizes = compare(
        baseline, [_window(baseline, _draw(np.random.default_rng(11), 1_000))], Policy(statistic=statistic)
    )[0].sizes
    assert sizes.thresholds["critical"][0] == pytest.approx(0.75 + 0.25 / 9.0)
    moved = _draw(np.random.default_rng(11), 1_000)
    moved[:, 0] += 1e6
    always = compare(baseline, [_window(baseline, moved)], Policy(statistic=statistic))[0]
    assert always.effect("critical")[0] > 1.0


def test_a_statistic_without_a_bound_keeps_the_multiple() -> None:
    columns = tuple(replace(own, expected_sizes={"kl": {500: 0.75}}) for own in _baseline().columns)
    baseline = replace(_baseline(), columns=columns)
    window = _window(baseline, _draw(np.random.default_rng(11), 1_000))
    sizes = compare(baseline, [window], Policy(statistic="kl"))[0].sizes
    assert sizes.thresholds["critical"][0] == pytest.approx(1.5)


def test_a_policy_that_a_baseline_cannot_follow_is_refused_in_words() -> None:
    columns = {"city": ColumnPolicy(statistic="ks")}
    assert unusable(Policy(), _baseline()) == ""
    assert unusable(Policy(statistic="ks"), _baseline()) == ""
    assert "ks needs a column of numbers, and city is none" in unusable(Policy(columns=columns), _baseline())
    assert "the baseline is by hour" in unusable(Policy(statistic="wasserstein"), timed_baseline())
    assert unusable(Policy(statistic="js"), timed_baseline()) == ""


def test_a_note_names_the_columns_whose_usual_variation_is_unknown() -> None:
    timed = timed_baseline()
    assert [*range_notes(Policy(), timed)] == []
    assert [*range_notes(Policy(statistic="js"), small_baseline())] == []  # PSI has no expected range either
    noted = [*range_notes(Policy(columns={"walk": ColumnPolicy(statistic="js")}), timed)]
    assert noted == [
        "the baseline does not know how much JS usually varies in walk: build it with --statistics js",
    ]
