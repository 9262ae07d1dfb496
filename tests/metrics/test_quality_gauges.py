"""The numbers of constraints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.quality.items import Item
from driftgauge.drift.quality.report import ConstraintVerdict, QualityReport
from driftgauge.metrics.facts import Exposed
from driftgauge.metrics.quality_gauges import QUALITY_GAUGES

from tests.expositions import FORMATS, Exposition, facts_of, idle

REPORT = QualityReport(
    Constraints((ColumnConstraints("age", "fractional", minimum=0.0),)),
    (Item(0, "age", "range", 0.0, 0.0, 100),),
    (
        ConstraintVerdict("age", "range", "warning", "1000", 200, 7, 0.0, {"warning": 0.01, "critical": 0.1}, 9.5, ""),
        ConstraintVerdict(None, "duplicates", None, "1000", 200, 0, 0.1, {"warning": 0.11, "critical": 0.2}, 0.0, ""),
    ),
    {"1000": np.array([0.035, 0.0]), "1h": np.array([np.nan, np.nan])},
    8.25,
)


def _labels(sample: object) -> dict[str, str]:
    labels: dict[str, str] = dict(getattr(sample, "labels"))  # noqa: B009
    return {name: own for name, own in labels.items() if name not in ("model_name", "model_version")}


@pytest.mark.parametrize("accept", FORMATS)
def test_each_constraint_has_its_share_thresholds_severity_and_evidence(accept: str) -> None:
    shown = Exposition(accept, [replace(facts_of(idle()), quality=REPORT)])
    found = {own.name: [(_labels(s), s.value) for s in shown.family(own.name).samples] for own in QUALITY_GAUGES}
    age, rows = {"feature_name": "age", "constraint": "range"}, {"constraint": "duplicates"}
    assert found == {
        "model_feature_constraint_violation_ratio": [
            ({**age, "window": "1000"}, 0.035),
            ({**rows, "window": "1000"}, 0.0),
        ],
        "model_feature_constraint_violation_threshold_ratio": [
            ({**age, "severity": "warning"}, 0.01),
            ({**age, "severity": "critical"}, 0.1),
            ({**rows, "severity": "warning"}, 0.11),
            ({**rows, "severity": "critical"}, 0.2),
        ],
        "model_feature_constraint_severity": [(age, 2.0), (rows, 0.0)],
        "model_feature_constraint_evidence_log10": [(age, 9.5), (rows, 0.0)],
        "model_feature_constraint_evidence_threshold_log10": [({}, 8.25)],
        "model_request_constraint_threshold_ratio": [({"severity": "warning"}, 0.01), ({"severity": "critical"}, 0.1)],
        "model_request_constraint_threshold_rows": [({}, 10.0)],
    }


def test_of_a_column_that_is_not_listed_there_are_none() -> None:
    facts = replace(facts_of(idle()), quality=REPORT, exposed=Exposed(top_features=0))
    severities = Exposition(FORMATS[0], [facts]).family("model_feature_constraint_severity").samples
    assert [_labels(own) for own in severities] == [{"constraint": "duplicates"}]


def test_without_constraints_there_are_none() -> None:
    shown = Exposition(FORMATS[0], [facts_of(idle())])
    assert {own.name for own in QUALITY_GAUGES}.isdisjoint(family.name for family in shown.list)
