from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.performance.outcomes import STRETCHES, OutcomeRule, OutcomeSums, judge_versions, sums_of
from driftgauge.edges.formats.outcomes import outcome_means, outcomes_json

RULE = OutcomeRule("number", 3_600.0)
WHOLE = ("revenue", "", "")
NORTH = ("revenue", "city", "north")


def alike() -> list[OutcomeSums]:
    """Return an outcome that keeps its value for a hundred predictions."""
    return [sums_of(np.full(100, value)) for value in np.random.default_rng(1).normal(size=STRETCHES).tolist()]


def width(found: dict[str, float]) -> float:
    return found["upper"] - found["lower"]


def test_an_outcome_says_how_many_predictions_count_as_one() -> None:
    report = judge_versions({"1": alike()}, RULE)
    found = outcomes_json({"revenue": report}, {NORTH: OutcomeSums(400, 10.0, 80.0, 400)})["revenue"]
    assert found["interval_tau"] == found["versions"]["1"]["interval_tau"] == report.tau
    assert report.tau > 50.0
    (segment,) = found["segments"]
    assert (segment["value"], segment["interval_tau"]) == ("north", report.tau)


def test_cohorts_and_their_segments_have_the_intervals_of_so_many_fewer_predictions() -> None:
    parts = {WHOLE: OutcomeSums(4_000, 100.0, 800.0, 4_000), NORTH: OutcomeSums(2_000, 60.0, 500.0, 2_000)}
    alone, fewer = (outcome_means(parts, {"revenue": ("number", tau)}, "city")["revenue"] for tau in (1.0, 16.0))
    assert width(fewer["mean"]) == pytest.approx(4.0 * width(alone["mean"]), rel=0.01)
    assert width(fewer["segments"][0]["mean"]) == pytest.approx(4.0 * width(alone["segments"][0]["mean"]), rel=0.02)
    assert fewer["rows"] == alone["rows"] == 4_000
