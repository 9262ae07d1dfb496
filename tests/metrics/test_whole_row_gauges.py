"""What the metrics say of whole rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.drift.multivariate.test_compared import known
from tests.expositions import FORMATS, Exposition, facts_of
from tests.monitors import small_monitor

SEVERITY = "model_multivariate_severity"


@pytest.mark.parametrize("accept", FORMATS)
def test_a_stale_comparison_keeps_its_numbers_and_has_no_severity(accept: str) -> None:
    found = known(0.9, in_verdict=True)
    fresh, stale = (
        Exposition(accept, [replace(facts_of(small_monitor()), whole_rows=replace(found, is_stale=own))])
        for own in (False, True)
    )
    assert [sample.value for sample in fresh.family(SEVERITY).samples] == [3.0]
    assert SEVERITY not in stale.families or not stale.family(SEVERITY).samples
    for shown in (fresh, stale):
        assert [sample.value for sample in shown.family("model_multivariate_auc_lower").samples] == [0.9]
