"""Recording rules: PSI and missing ratios across replicas, error ratios, and names that older rules expect.

Names are `level:metric:operations`; the level is the finest label that is kept. All add up the replicas: the targets
that share the labels in `by`, and one model name and version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from driftgauge.alerting.drift_details import drift_details
from driftgauge.alerting.efficiency import (
    PAST_INTERVAL,
    PRESENT_INTERVAL,
    cost_rules,
    latency_rules,
    past_latency_rules,
    throughput_rules,
)
from driftgauge.alerting.options import REPLICA_WINDOWS, MonitoringOptions, duration, milliseconds
from driftgauge.alerting.scope import Scope
from driftgauge.drift.bins import MISSING
from driftgauge.drift.statistics.psi import CLIP
from driftgauge.drift.verdict.rule import JUDGED_ROWS
from driftgauge.metrics.series import BIN_ROWS
from driftgauge.metrics.server_series import HTTP_REQUESTS

LONGEST_INTERVAL: Final = "4m"
"""Prometheus forgets an instant value after five minutes."""
ERROR_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
PREDICT: Final = (
    'handler=~"/predict(/label)?|/models/[{]model_name[}]/predict(/label)?|/v2/models/[{]model_name[}]/infer"'
)
"""The routes that predict; braces are in brackets because bare ones repeat in a regular expression."""

BIN_INCREASE: Final = "feature_bin:model_feature_bin_rows:increase"
ROWS_INCREASE: Final = "feature:model_feature_bin_rows:increase"
SHARE: Final = "feature_bin:model_feature_bin_ratio:increase"
REFERENCE: Final = "feature_bin:model_feature_reference_ratio:max"
REPLICAS_PSI: Final = "feature:model_feature_psi_clip:increase"
REPLICAS_MISSING: Final = "feature:model_feature_missing_ratio:increase"
ERROR_RATIO: Final = "job:http_request_errors:ratio_rate"
REQUEST_RATE: Final = "job:http_requests:rate"


def recording_rules(options: MonitoringOptions) -> dict[str, Any]:
    """Return the content of the recording rules' file."""
    scope = Scope(options.by)
    groups = [
        _group("driftgauge-requests", None, _requests(scope)),
        _group("driftgauge-reference", None, _reference(scope)),
        _group("driftgauge-throughput", None, throughput_rules(scope)),
        _group("driftgauge-latency-past", PAST_INTERVAL, past_latency_rules()),
        _group("driftgauge-latency", PRESENT_INTERVAL, latency_rules(scope)),
        _group("driftgauge-cost", PRESENT_INTERVAL, cost_rules(scope)),
        {"name": "driftgauge-drift-details", "rules": _details(options)},
    ]
    for window in options.replica_windows:
        interval = min(REPLICA_WINDOWS[window] * milliseconds(options.scrape_interval), milliseconds(LONGEST_INTERVAL))
        groups.append(_group(f"driftgauge-replicas-{window}", duration(interval), _replicas(scope, window)))
    if options.is_compatible:
        groups.append(_group("driftgauge-compatibility", None, _compatibility(scope, options.window)))
    return {"groups": groups}


def _details(options: MonitoringOptions) -> list[dict[str, Any]]:
    return [
        {"record": detail.record, "expr": detail.expr, "labels": {"detail": detail.label}}
        for detail in drift_details(options)
    ]


def _group(name: str, interval: str | None, rules: Iterator[tuple[str, str]]) -> dict[str, Any]:
    listed = [{"record": record, "expr": expr} for record, expr in rules]
    return {"name": name, **({"interval": interval} if interval else {}), "rules": listed}


def _requests(scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield the rate of prediction requests by either route, and the share answered 5xx."""
    labels = scope.job()
    yield f"{REQUEST_RATE}5m", f"sum by ({labels}) (rate({HTTP_REQUESTS}{{{PREDICT}}}[5m]))"
    for window in ERROR_WINDOWS:
        failed = f'sum by ({labels}) (rate({HTTP_REQUESTS}{{{PREDICT}, code=~"5.."}}[{window}]))'
        all_ = f"sum by ({labels}) (rate({HTTP_REQUESTS}{{{PREDICT}}}[{window}]))"
        yield f"{ERROR_RATIO}{window}", f"{failed}\n  / ({all_} > 0)"


def _reference(scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield the reference's shares, which are the same on every replica."""
    yield REFERENCE, f"max by ({scope.feature('bin')}) (model_feature_reference_ratio)"


def _replicas(scope: Scope, window: str) -> Iterator[tuple[str, str]]:
    """Yield rows, shares, PSI and missing ratio of all replicas' traffic.

    `increase` comes before the sum, so that a restart loses no rows. Shares, PSI and missing ratio are recorded only
    where there are enough rows to judge the size of a change. PSI is the widely used formula over all bins, the special
    ones included, with both shares clipped. There is no evidence across replicas, because evidence does not add up.
    """
    bins, rows, share = BIN_INCREASE + window, ROWS_INCREASE + window, SHARE + window
    required = f"clamp_min(10 * count by ({scope.feature()}) ({REFERENCE}), {JUDGED_ROWS})"
    current, expected = f"clamp_min({share}, {CLIP})", f"clamp_min({REFERENCE}, {CLIP})"
    yield bins, f"sum by ({scope.feature('bin')}) (increase({BIN_ROWS}[{window}]))"
    yield rows, f"sum by ({scope.feature()}) ({bins})"
    yield share, f"{bins} / ignoring (bin) group_left () ({rows} >= {required})"
    yield (
        REPLICAS_PSI + window,
        f"sum by ({scope.feature()}) (({current} - {expected}) * ln({current} / {expected}))",
    )
    yield REPLICAS_MISSING + window, f'sum by ({scope.feature()}) ({share}{{bin="{MISSING}"}})'


def _compatibility(scope: Scope, window: str) -> Iterator[tuple[str, str]]:
    """Yield PSI of the largest window and the mean score, under names of older rules."""
    largest = (
        f"model_window_capacity_rows == on ({scope.model('instance')}) group_left ()\n"
        "    max without (window) (model_window_capacity_rows)"
    )
    psi = f"model_feature_psi\n  and on ({scope.model('instance', 'window')}) ({largest})"
    yield "feature_psi_score", f"max by ({scope.feature()}) (\n  {psi}\n)"
    total = f"sum by ({scope.model()}) (increase(model_prediction_score_sum[{window}]))"
    count = f"sum by ({scope.model()}) (increase(model_prediction_score_count[{window}]))"
    yield "model_prediction_score", f"{total}\n  / ({count} > 0)"
