from __future__ import annotations

import math
import re

import pytest
from driftgauge.metrics.series import (
    OBSERVATIONS,
    SCORE,
)

from tests.expositions import (
    FORMATS,
    OPENMETRICS,
    TEXT,
    TIME_WINDOWS,
    Exposition,
    always_there,
    drifted,
    facts_of,
    other_monitor,
)
from tests.monitors import (
    START,
    small_monitor,
    some_rows,
)


@pytest.mark.parametrize("accept", FORMATS)
def test_two_monitors_keep_one_family_each(accept: str) -> None:
    pair = [facts_of(drifted()), facts_of(other_monitor(), task="regression")]
    exposition = Exposition(accept, pair)
    names = [family.name for family in exposition.list]
    assert len(set(names)) == len(names)
    typed = re.findall(r"^# TYPE (\S+)", exposition.text, re.MULTILINE)
    assert len(set(typed)) == len(typed)
    alone = [Exposition(accept, [facts]) for facts in pair]
    for name, _, labels, _ in always_there():
        if "model_name" in labels:
            separate = [sample for one in alone for sample in one.family(name).samples]
            assert exposition.family(name).samples == separate


def test_each_monitor_has_its_own_windows_and_buckets() -> None:
    exposition = Exposition(OPENMETRICS, [facts_of(drifted()), facts_of(other_monitor())])
    windows = exposition.children("model_window_rows", "model_name", "window")
    assert windows == {
        ("churn", "200"): 200.0,
        ("churn", "1000"): 1_000.0,
        ("price", "600"): 600.0,
        **{("churn", name): 3_000.0 for name in TIME_WINDOWS},
        **{("price", name): 1_000.0 for name in TIME_WINDOWS},
    }
    bounds = {le for (le,) in exposition.children(f"{SCORE}_bucket", "le", model_name="price")}
    assert {float(bound) for bound in bounds} == {-5.0, 0.0, 1e6, math.inf}
    assert exposition.value(OBSERVATIONS.name, source="predict", model_name="churn", model_version="1") == 3_000
    assert exposition.value(OBSERVATIONS.name, source="predict", model_name="price", model_version="2.0") == 1_000


def test_two_versions_of_one_model_are_told_apart() -> None:
    first, second = small_monitor("churn", "1"), small_monitor("churn", "2")
    second.observe(some_rows(5), arrival=START)
    exposition = Exposition(TEXT, [facts_of(first), facts_of(second)])
    assert exposition.children(OBSERVATIONS.name, "model_version", source="predict") == {("1",): 0.0, ("2",): 5.0}
