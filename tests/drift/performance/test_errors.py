from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.performance import errors_json
from driftgauge.drift.performance.errors import (
    ERROR_COLUMNS,
    ErrorDetector,
    ErrorEvidence,
    ErrorRows,
    class_errors,
    error_table,
    value_errors,
)
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from hypothesis import given
from hypothesis import strategies as st

DAY = 86_400.0
CREATED = "2026-01-01T00:00:00Z"


def _answers(rows: int, seed: int, *, shift: float = 0.0) -> tuple[FloatArray, BoolArray]:
    """Return scores of a calibrated model, and truths whose log odds differ from the scores' by `shift`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.0, 2.0, rows)
    truth = rng.random(rows) < 1.0 / (1.0 + np.exp(-odds - shift))
    return 1.0 / (1.0 + np.exp(-odds)), truth


def _rows(rows: int, seed: int, *, shift: float = 0.0, begin: float = 0.0, seconds: float = 60.0) -> ErrorRows:
    scores, truth = _answers(rows, seed, shift=shift)
    at = begin + seconds * np.arange(rows, dtype=np.float64)
    return ErrorRows(at, class_errors((scores > 0.5) == truth, scores, truth))


def _reference(rows: int = 20_000) -> Baseline:
    return build_baseline(error_table(_rows(rows, 0).errors), created=CREATED)


DETECTOR = ErrorDetector(_reference(), Budget(), beside=10)


def _numbers(state: ErrorEvidence) -> list[float]:
    return [state.upto, state.rows, *state.evidence.values.tolist(), *state.evidence.wealth.tolist()]


def test_errors_of_two_classes_are_wrong_answers_and_what_the_score_missed() -> None:
    found = class_errors(np.array([True, False]), np.array([0.75, 0.75]), np.array([True, False]))
    assert found.tolist() == [[0.0, 0.25], [1.0, -0.75]]


def test_errors_of_several_classes_compare_the_score_with_being_right() -> None:
    found = class_errors(np.array([True, False]), np.array([0.75, 0.5]))
    assert found.tolist() == [[0.0, 0.25], [1.0, -0.5]]


def test_errors_of_numbers_are_absolute_and_signed() -> None:
    assert value_errors(np.array([1.0, 4.0]), np.array([3.0, 1.0])).tolist() == [[2.0, -2.0], [3.0, 3.0]]


def test_errors_like_those_of_held_out_rows_raise_nothing() -> None:
    rows = 100_000
    state = DETECTOR.after(DETECTOR.start(), _rows(rows, 1), matured_until=np.inf)
    assert state.rows == rows
    assert not state.is_raised
    assert state.since is None
    assert state.log10 < state.evidence.threshold_log10 - 1.0


@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_another_relation_between_score_and_truth_raises_evidence(shift: float) -> None:
    quiet = DETECTOR.after(DETECTOR.start(), _rows(5_000, 2), matured_until=5_000 * 60.0)
    changed = _rows(5_000, 3, shift=shift, begin=5_000 * 60.0)
    state = DETECTOR.after(quiet, changed, matured_until=np.inf)
    assert not quiet.is_raised
    assert state.is_raised
    assert state.since is not None
    assert 5_000 * 60.0 < state.since < 6_500 * 60.0


def test_a_regression_whose_errors_grow_raises_evidence() -> None:
    rng = np.random.default_rng(4)
    answers = rng.normal(size=20_000)
    reference = build_baseline(error_table(value_errors(answers + rng.normal(size=20_000), answers)), created=CREATED)
    detector = ErrorDetector(reference)
    truth = answers[:4_000] + 1.4 * rng.normal(size=4_000)
    rows = ErrorRows(np.arange(4_000.0), value_errors(truth, answers[:4_000]))
    assert detector.after(detector.start(), rows, matured_until=np.inf).is_raised


def test_the_threshold_shares_the_budget_with_the_columns_beside() -> None:
    state = ErrorDetector(DETECTOR.reference, Budget(false_alarm_rows=1e5), beside=10).start()
    assert state.evidence.threshold == 1e5 * (10 + len(ERROR_COLUMNS))


def test_labels_of_wrong_answers_that_come_late_are_no_evidence_once_they_have_matured() -> None:
    """Labels of right answers come at once, and those of wrong ones after nine days of ten that they have."""
    rows = _rows(40_000, 5)
    labelled = rows.at + np.where(rows.errors[:, 0] == 1.0, 9 * DAY, 0.0)
    matured, hasty = DETECTOR.start(), DETECTOR.start()
    for day in range(1, 29):
        known = labelled <= day * DAY
        so_far = ErrorRows(rows.at[known], rows.errors[known])
        matured = DETECTOR.after(matured, so_far, matured_until=(day - 10) * DAY)
        hasty = DETECTOR.after(hasty, so_far, matured_until=day * DAY)
    assert matured.rows == 18 * 1_440
    assert not matured.is_raised
    assert hasty.is_raised  # of labels so far, nearly all say that the answer was right


def test_a_change_is_found_although_the_labels_of_wrong_answers_come_late() -> None:
    rows = _rows(20_000, 6, shift=1.0)
    labelled = rows.at + np.where(rows.errors[:, 0] == 1.0, 9 * DAY, 0.0)
    known = labelled <= 12 * DAY
    so_far = ErrorRows(rows.at[known], rows.errors[known])
    assert DETECTOR.after(DETECTOR.start(), so_far, matured_until=2 * DAY).is_raised


def test_rows_before_the_last_cohort_and_after_the_next_one_are_left_out() -> None:
    state = DETECTOR.after(DETECTOR.start(0.0), _rows(1_000, 7), matured_until=600.0)
    assert state.rows == 10
    again = DETECTOR.after(state, _rows(1_000, 7), matured_until=600.0)
    assert _numbers(again) == _numbers(state)
    late = DETECTOR.after(state, ErrorRows(np.array([60.0]), np.array([[1.0, -1.0]])), matured_until=1_200.0)
    assert (late.rows, late.upto) == (10, 1_200.0)


@given(st.lists(st.integers(1, 40_000), max_size=6))
def test_neither_the_order_of_labels_nor_the_cohorts_change_the_evidence(cuts: list[int]) -> None:
    rows = _rows(700, 8, shift=0.5)
    order = np.random.default_rng(len(cuts)).permutation(len(rows))
    shuffled = ErrorRows(rows.at[order], rows.errors[order])
    whole, parts = DETECTOR.after(DETECTOR.start(), rows, matured_until=42_000.0), DETECTOR.start()
    for cut in [*sorted(cuts), 42_000]:
        parts = DETECTOR.after(parts, shuffled, matured_until=float(cut))
    assert np.allclose(_numbers(parts), _numbers(whole), rtol=1e-12)


def test_a_state_outlives_its_process() -> None:
    before = DETECTOR.after(DETECTOR.start(), _rows(3_021, 9, shift=0.3), matured_until=3_021 * 60.0)
    read = errors_json.loads(errors_json.dumps(before, DETECTOR), DETECTOR)
    more = _rows(3_000, 10, begin=3_021 * 60.0)
    assert errors_json.dumps(read, DETECTOR) == errors_json.dumps(before, DETECTOR)
    after = [DETECTOR.after(state, more, matured_until=np.inf) for state in (before, read)]
    assert _numbers(after[0]) == _numbers(after[1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        errors_json.dumps(DETECTOR.start(), DETECTOR).replace('"version": 1', '"version": 2'),
        errors_json.dumps(DETECTOR.start(), DETECTOR).replace("AAAAAAAA", "AAAA", 1),
        errors_json.dumps(DETECTOR.start(), DETECTOR).replace("progress", "other"),
    ],
)
def test_a_damaged_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it begins again"):
        errors_json.loads(text, DETECTOR)


def test_a_state_of_another_reference_is_refused() -> None:
    other = ErrorDetector(_reference(1_000))
    with pytest.raises(ValueError, match="another version or reference"):
        errors_json.loads(errors_json.dumps(other.start(), other), DETECTOR)


def test_a_baseline_of_features_is_no_reference_of_errors() -> None:
    baseline = build_baseline({"x": np.arange(9.0)}, created=CREATED)
    with pytest.raises(ValueError, match="a baseline of x"):
        ErrorDetector(baseline)


def test_errors_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        ErrorRows(np.zeros(3), np.zeros((3, 1)))
