from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.drift.attribution.attributions import AttributionReport, AttributionShift
from driftgauge.drift.attribution.known import AttributionRun, KnownAttributions, dumps, loads

REPORT = AttributionReport(
    "tree_shap",
    500,
    2_000,
    0.5,
    (AttributionShift("x", 0.25, 0.75, 0.03, True), AttributionShift("y", 0.75, 0.25, 0.03, True)),
)


def known(ndcg: float | None = 0.5, *, is_stale: bool = False) -> KnownAttributions:
    """A comparison of attributions."""
    return KnownAttributions(AttributionRun(replace(REPORT, ndcg=ndcg), 1_700_000_000.0, 0.25), is_stale=is_stale)


def test_what_is_written_is_read_again_for_the_same_reference_alone() -> None:
    last = known().last
    assert loads(dumps(last, "a"), "a") == last
    assert loads(dumps(last, "a"), "b") is None
    assert loads(dumps(None, "a"), "a") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"reference": "a"}', '{"reference": "a", "last": {"at": 1}}'])
def test_damaged_text_holds_nothing(text: str) -> None:
    assert loads(text, "a") is None


def test_attributions_have_drifted_below_the_threshold() -> None:
    assert known(0.5).has_drifted
    assert not known(0.95).has_drifted
    assert not known(None).has_drifted
    assert not KnownAttributions().has_drifted


def test_a_stale_comparison_means_nothing() -> None:
    stale = known(0.5, is_stale=True)
    assert (stale.ndcg, stale.has_drifted, stale.shifts) == (None, False, ())
    assert known(0.5).shifts == REPORT.shifts
