from __future__ import annotations

from typing import get_args

from driftgauge.drift.diagnosis.causes import CAUSE_KINDS
from driftgauge.drift.diagnosis.steps import StepName
from driftgauge.drift.diagnosis.titles import CAUSE_TITLES, STEP_TITLES


def test_every_kind_of_cause_and_every_step_has_a_title() -> None:
    assert set(CAUSE_TITLES) == set(CAUSE_KINDS)
    assert len(set(CAUSE_TITLES.values())) == len(CAUSE_KINDS)
    assert tuple(STEP_TITLES) == get_args(StepName)
