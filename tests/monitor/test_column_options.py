"""Options of single columns in a monitor whose state is in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import Status
from driftgauge.errors import Reason
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.state.files import StateKey
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store

from tests.monitors import START, small_baseline, some_rows


def _report(folder: Path, columns: Mapping[str, ColumnPolicy], rows: int = 0) -> tuple[DriftReport, tuple[Reason, ...]]:
    """Return the report of a server that starts with the state in a folder, and what it recovered from."""
    baseline = small_baseline()
    options = MonitorOptions(policy=Policy(windows=(500, 1_000), columns=columns, learning_seconds=0.0))
    key = StateKey("churn", "1", baseline.hash)
    store = Store.open(Slots(folder, key, state_shape(baseline, options), state_dir=folder))
    monitor = ColumnMonitor(baseline, model_name="churn", model_version="1", now=START, options=options, store=store)
    if rows:
        monitor.observe(some_rows(rows, age=65.0), arrival=START)
    report = monitor.evaluate(START + 5).report
    store.leave()
    return report, tuple(recovery.reason for recovery in store.recoveries)


@pytest.mark.parametrize("own", [ColumnPolicy(monitor=False), ColumnPolicy(tolerance=0.5)])
def test_another_detector_begins_again_from_the_rows_of_the_window(own: ColumnPolicy, tmp_path: Path) -> None:
    before, _ = _report(tmp_path, {}, rows=3_000)
    after, reasons = _report(tmp_path, {"age": own})
    assert reasons == (Reason.STATE_FOREIGN,)
    assert (after.main.rows, after.windows["1h"].rows) == (1_000, 1_000)
    assert after.rows_observed == before.rows_observed == 3_000
    again, _ = _report(tmp_path, {"age": own})
    np.testing.assert_array_equal(again.evidence.values, after.evidence.values)


def test_other_thresholds_and_alerts_keep_the_evidence(tmp_path: Path) -> None:
    before, _ = _report(tmp_path, {}, rows=3_000)
    after, reasons = _report(tmp_path, {"age": ColumnPolicy(alert=False), "flag": ColumnPolicy(psi_thresholds=(8, 9))})
    assert reasons == ()
    np.testing.assert_array_equal(after.evidence.values, before.evidence.values)
    assert (before.verdicts[0].status, before.verdicts[0].severity) == (Status.DRIFT_DETECTED, "critical")
    assert (after.verdicts[0].status, after.verdicts[0].severity) == (Status.DRIFT_DETECTED, "info")
