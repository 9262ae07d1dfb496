from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.metrics.facts import LabelFacts
from driftgauge.metrics.monitor_gauges import MONITOR_GAUGES

from tests.expositions import FORMATS, Exposition, facts_of
from tests.monitors import START, small_monitor

OF_LABELS = ("model_labels_waiting", "model_label_timestamp_seconds", "model_label_age_threshold_seconds")


def values(labels: LabelFacts | None, accept: str) -> dict[str, float]:
    shown = Exposition(accept, [replace(facts_of(small_monitor()), labels=labels)])
    return {name: sample.value for name in OF_LABELS if name in shown.families for sample in shown.family(name).samples}


@pytest.mark.parametrize("accept", FORMATS)
def test_labels_have_a_number_of_those_that_wait_and_the_time_of_the_newest(accept: str) -> None:
    assert values(LabelFacts(7, START, 600.0), accept) == dict(zip(OF_LABELS, (7.0, START, 600.0), strict=True))


@pytest.mark.parametrize("accept", FORMATS)
def test_before_the_first_label_there_is_no_time(accept: str) -> None:
    assert values(LabelFacts(0, None, 600.0), accept) == {
        "model_labels_waiting": 0.0,
        "model_label_age_threshold_seconds": 600.0,
    }


@pytest.mark.parametrize("accept", FORMATS)
def test_without_a_prediction_log_there_are_no_gauges_of_labels(accept: str) -> None:
    assert values(None, accept) == {}
    assert {gauge.name for gauge in MONITOR_GAUGES if gauge.of_labels} == set(OF_LABELS)
