from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from driftgauge.drift.performance.estimated import ESTIMATED_METRICS
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.drift.verdict.policy import ColumnPolicy
from driftgauge.metrics.alias_gauges import ALIAS_GAUGES
from driftgauge.metrics.attribution_gauges import ATTRIBUTION_GAUGES
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.gauges import REPORT_GAUGES, SHARE_GAUGES
from driftgauge.metrics.gpu import GPU_GAUGES, GPU_INFO
from driftgauge.metrics.gradual_gauges import GRADUAL_GAUGES
from driftgauge.metrics.monitor_gauges import MONITOR_GAUGES
from driftgauge.metrics.outlier_gauges import OUTLIER_GAUGES
from driftgauge.metrics.render import EVERYTHING, Exposed
from driftgauge.metrics.series import BIN_ROWS, PREDICTIONS, REFERENCE_RATIO, monitor_series
from driftgauge.metrics.server_series import CALLER_LIMITS, ERROR_BUDGET, LOG_GAUGES, PROCESS
from driftgauge.metrics.size_gauges import SIZE_GAUGES
from driftgauge.metrics.stream_gauges import STREAM_GAUGES
from driftgauge.metrics.two_minute_gauges import TWO_MINUTE_GAUGES
from driftgauge.metrics.whole_row_gauges import WHOLE_ROW_GAUGES
from driftgauge.monitor.monitor import ColumnMonitor

from tests.expositions import FORMATS, OPENMETRICS, SERVER, TEXT, Exposition, drifted, facts_of, other_monitor
from tests.monitors import (
    START,
    small_monitor,
    timed_baseline,
)

BY_BIN = {BIN_ROWS.removesuffix("_total"), REFERENCE_RATIO.name}

SHARES = {gauge.name for gauge in SHARE_GAUGES}
GAUGES_BY_FEATURE = SHARES | {gauge.name for gauge in REPORT_GAUGES if "feature_name" in gauge.labels}


def _by_feature(exposition: Exposition) -> dict[str, set[str]]:
    """Return the features that each family lists."""
    return {
        name: {sample.labels["feature_name"] for sample in family.samples}
        for name, family in exposition.ours.items()
        if any("feature_name" in sample.labels for sample in family.samples)
    }


@pytest.mark.parametrize("accept", FORMATS)
def test_without_the_rows_of_bins_all_else_stays(accept: str) -> None:
    facts = [facts_of(drifted()), facts_of(other_monitor())]
    everything, less = Exposition(accept, facts), Exposition(accept, facts, exposed=Exposed(bin_rows=False))
    assert less.ours == {name: family for name, family in everything.ours.items() if name not in BY_BIN}
    assert set(everything.ours) - set(less.ours) == BY_BIN


def test_gauges_list_the_worst_features_and_always_the_prediction() -> None:
    facts = facts_of(drifted())
    assert facts.report is not None
    assert facts.baseline.names == ("age", "flag", "city", "prediction")
    report = replace(facts.report, worst_first=(3, 2, 0, 1))
    everything = _by_feature(Exposition(OPENMETRICS, [facts]))
    assert set(everything) == GAUGES_BY_FEATURE | BY_BIN
    for top, kept in enumerate([{PREDICTION}, {"city", PREDICTION}, {"age", "city", PREDICTION}]):
        listed = _by_feature(
            Exposition(OPENMETRICS, [replace(facts, report=report)], exposed=Exposed(top_features=top))
        )
        for name in GAUGES_BY_FEATURE:
            assert listed.get(name, set()) == everything.get(name, set()) & kept, name
        assert {name: listed[name] for name in BY_BIN} == {name: set(facts.baseline.names) for name in BY_BIN}


@pytest.mark.parametrize("accept", FORMATS)
def test_what_is_left_of_a_thinned_family_is_as_it_was(accept: str) -> None:
    facts = facts_of(drifted())
    everything = Exposition(accept, [facts]).ours
    thinned = Exposition(accept, [facts], exposed=Exposed(top_features=1)).ours
    assert list(thinned) == list(everything)
    fewer = 0
    for name, family in everything.items():
        kept = {sample.labels.get("feature_name") for sample in thinned[name].samples}
        assert thinned[name].samples == [s for s in family.samples if s.labels.get("feature_name") in kept]
        fewer += len(family.samples) - len(thinned[name].samples)
    assert fewer > 100


@pytest.mark.parametrize("exposed", [Exposed(), Exposed(top_features=4)])
def test_columns_that_are_not_monitored_have_no_series(exposed: Exposed) -> None:
    columns = {name: ColumnPolicy(monitor=False) for name in ("city", PREDICTION)}
    monitor = drifted()
    report = replace(monitor.last.report, policy=replace(monitor.options.policy, columns=columns))
    everything = Exposition(TEXT, [facts_of(monitor)]).ours
    less = Exposition(TEXT, [replace(facts_of(monitor), report=report)], exposed=exposed).ours
    for name, family in everything.items():
        kept = [own for own in family.samples if own.labels.get("feature_name") not in columns]
        assert less[name].samples == kept, name
    assert {own.labels["feature_name"] for own in less["model_feature_bin_rows"].samples} == {"age", "flag"}


def test_columns_without_alerts_have_no_limits_of_missing_and_unseen_values() -> None:
    monitor = drifted()
    policy = replace(monitor.options.policy, columns={"city": ColumnPolicy(alert=False)})
    report = replace(monitor.last.report, policy=policy)
    everything = Exposition(TEXT, [facts_of(monitor)])
    exposition = Exposition(TEXT, [replace(facts_of(monitor), report=report)])
    for kind in ("missing", "unseen"):
        limits = exposition.family(f"model_feature_{kind}_ratio_threshold").samples
        listed = {own.labels["feature_name"] for own in limits}
        assert listed == {own.labels["feature_name"] for own in everything.family(limits[0].name).samples} - {"city"}
        shown = exposition.family(f"model_feature_{kind}_ratio").samples
        assert "city" in {own.labels["feature_name"] for own in shown}


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("listed", [(), ("200",), ("1000",), ("2m", "200"), ("24h",), ("no such window",)])
def test_gauges_list_the_main_window_and_those_that_are_asked_for(accept: str, listed: Sequence[str]) -> None:
    facts = facts_of(drifted())
    everything = Exposition(accept, [facts]).ours
    less = Exposition(accept, [facts], exposed=Exposed(windows=frozenset(listed))).ours
    kept = {None, "1000", *listed}
    assert list(less) == list(everything)
    for name, family in everything.items():
        assert less[name].samples == [s for s in family.samples if s.labels.get("window") in kept], name
    assert {s.labels["window"] for s in less["model_window_rows"].samples} == kept - {None, "no such window"}


@pytest.mark.parametrize("top", [3, 4, 10_000])
def test_as_many_as_there_are_is_everything(top: int) -> None:
    facts = [facts_of(drifted())]
    assert Exposition(TEXT, facts, exposed=Exposed(top_features=top)).ours == Exposition(TEXT, facts).ours


@pytest.mark.parametrize("accept", FORMATS)
def test_without_features_and_predictions_families_are_empty_but_there(accept: str) -> None:
    timed = ColumnMonitor(timed_baseline(), model_name="timed", model_version="1", now=START)
    exposition = Exposition(accept, [facts_of(timed)], exposed=Exposed(top_features=0))
    assert not [name for name in GAUGES_BY_FEATURE if exposition.family(name).samples]
    assert _by_feature(exposition) == {name: set(timed.baseline.names) for name in BY_BIN}


def test_each_monitor_lists_its_own_worst_features() -> None:
    pair = [facts_of(drifted()), facts_of(small_monitor("fraud"))]
    reports = [facts.report for facts in pair if facts.report is not None]
    orders = [(1, 0, 2, 3), (2, 1, 0, 3)]
    changed = [
        replace(facts, report=replace(report, worst_first=order))
        for facts, report, order in zip(pair, reports, orders, strict=True)
    ]
    exposition = Exposition(TEXT, changed, exposed=Exposed(top_features=1))
    found = exposition.children("model_feature_drift_severity", "model_name", "feature_name")
    assert set(found) == {
        ("churn", "flag"),
        ("churn", PREDICTION),
        ("fraud", "city"),
        ("fraud", PREDICTION),
    }


STATED_WITHOUT = {
    "model_available",
    "model_prediction_latency_threshold_seconds",
    "model_prediction_latency_rise_threshold_ratio",
    "model_queue_used_ratio",
    "model_state_persistent",
    "server_price_per_second",
} | {gauge.name for gauge in MONITOR_GAUGES if gauge.name.startswith(("model_live", "model_release", "model_shadow"))}


def _switched_off(facts: MonitorFacts) -> MonitorFacts:
    return replace(facts, report=None, bin_rows=None, labels=None)


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("exposed", [EVERYTHING, Exposed(bin_rows=False, top_features=1)])
def test_without_monitoring_there_are_counters_and_the_latencys_threshold(accept: str, exposed: Exposed) -> None:
    facts = facts_of(drifted())
    watched, off = Exposition(accept, [facts]), Exposition(accept, [_switched_off(facts)], exposed=exposed)
    counted = {spec.name.removesuffix("_total") for spec in (*monitor_series(), *SERVER, *PROCESS)}
    of_server = {gauge.name for gauge in (*CALLER_LIMITS, *LOG_GAUGES, GPU_INFO, *(own for own, _ in GPU_GAUGES))}
    of_server |= {"server_actions", "server_action_last_result_timestamp_seconds", "server_notifications"}
    of_server |= {"server_telemetry_items", "server_telemetry_lost_threshold_ratio"}
    assert set(off.ours) == counted | {"model_info", ERROR_BUDGET} | STATED_WITHOUT | of_server
    of_settings = (
        *STREAM_GAUGES,
        *ALIAS_GAUGES,
        *SIZE_GAUGES,
        *OUTLIER_GAUGES,
        *TWO_MINUTE_GAUGES,
        *WHOLE_ROW_GAUGES,
        *ATTRIBUTION_GAUGES,
        *GRADUAL_GAUGES,
    )
    of_others = [gauge for gauge in MONITOR_GAUGES if not (gauge.of_labels or gauge.of_rolling or gauge.of_ingestion)]
    assert {gauge.name for gauge in of_others if gauge not in of_settings} - set(off.ours) == {
        "model_evaluation_timestamp_seconds",
        "model_evaluation_age_threshold_seconds",
        "model_evaluation_duration_seconds",
        "model_monitoring_healthy",
        "model_client_rows_ratio",
        *(metric.gauge for metric in ESTIMATED_METRICS),
    }
    assert off.ours == {name: family for name, family in watched.ours.items() if name in off.ours}


def test_one_monitor_may_be_switched_off_beside_another() -> None:
    on, off = facts_of(drifted()), _switched_off(facts_of(small_monitor("fraud")))
    together, alone = Exposition(OPENMETRICS, [on, off]), Exposition(OPENMETRICS, [on])
    for name in {gauge.name for gauge in REPORT_GAUGES} | SHARES | BY_BIN | {"model_monitoring_healthy"}:
        assert together.ours[name] == alone.ours[name]
    assert set(together.children("model_info", "model_name")) == {("churn",), ("fraud",)}
    assert set(together.children(PREDICTIONS.name, "model_name")) == {("churn",), ("fraud",)}
