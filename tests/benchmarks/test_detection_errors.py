from __future__ import annotations

from benchmarks.detection_errors import (
    CHANGES,
    LOT,
    QUIET,
    Watcher,
    delays,
    evidence,
    false_alarms,
    one_by_one,
    watchers,
)
from benchmarks.streams import generator_of

OURS = Watcher("ours", evidence)


class Every:
    """A detector that raises an alarm at each wrong answer."""

    drift_detected = False

    def update(self, wrong: float) -> None:
        self.drift_detected = wrong == 1.0


def test_a_change_of_the_log_odds_moves_residuals_and_hardly_the_share_of_wrong_answers() -> None:
    quiet, moved = (draw(generator_of(0), 100_000) for draw in (QUIET, CHANGES["log odds of the truth + 0.5"]))
    assert abs(quiet[:, 0].mean() - moved[:, 0].mean()) < 0.01
    assert moved[:, 1].mean() - quiet[:, 1].mean() > 0.05


def test_flipped_truths_are_more_wrong_answers() -> None:
    quiet, flipped = (draw(generator_of(1), 100_000) for draw in (QUIET, CHANGES["20 % of truths flipped"]))
    assert flipped[:, 0].mean() - quiet[:, 0].mean() > 0.1


def test_our_detector_finds_a_change_and_raises_no_false_alarm() -> None:
    median, share = delays(OURS, CHANGES["20 % of truths flipped"], 3, 0)
    assert share == 1.0
    assert 0 < median < 3 * LOT
    assert false_alarms(OURS, 20_000, 2, 0) == 0.0


def test_alarms_of_a_detector_of_single_errors_are_counted() -> None:
    every = Watcher("every", one_by_one(Every))
    wrong = QUIET(generator_of(2), 10_000)[:, 0].mean()
    assert abs(false_alarms(every, 10_000, 1, 0) / 1e6 - wrong) < 0.02
    assert delays(every, CHANGES["20 % of truths flipped"], 2, 0)[1] == 1.0


def test_ours_comes_first() -> None:
    assert watchers()[0].name.endswith("(Driftgauge)")
