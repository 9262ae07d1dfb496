"""Recording rules: the fleet's PSI and missing ratios, error ratios, and names that older rules expect.

Names are `level:metric:operations`; the level is the finest label that is kept. All are of the
replicas together: of the targets that share the labels in `by`, and one model name and version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from driftgauge.alerting.options import REPLICA_WINDOWS, MonitoringOptions, duration, milliseconds
from driftgauge.drift.bins import MISSING
from driftgauge.drift.statistics.psi import CLIP
from driftgauge.drift.verdict.rule import JUDGED_ROWS
from driftgauge.metrics.series import BIN_ROWS, HTTP_REQUESTS

MODEL: Final = ("model_name", "model_version")
LONGEST_INTERVAL: Final = "4m"
"""Prometheus forgets an instant value after five minutes."""
ERROR_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
PREDICT: Final = 'handler=~"/predict|/v2/models/[{]model_name[}]/infer"'
"""The routes that predict; braces are in brackets because a regular expression counts with bare ones."""

BIN_INCREASE: Final = "feature_bin:model_feature_bin_rows:increase"
ROWS_INCREASE: Final = "feature:model_feature_bin_rows:increase"
SHARE: Final = "feature_bin:model_feature_bin_ratio:increase"
REFERENCE: Final = "feature_bin:model_feature_reference_ratio:max"
FLEET_PSI: Final = "feature:model_feature_psi_clip:increase"
FLEET_MISSING: Final = "feature:model_feature_missing_ratio:increase"
ERROR_RATIO: Final = "job:http_request_errors:ratio_rate"
REQUEST_RATE: Final = "job:http_requests:rate"


@dataclass(frozen=True)
class Scope:
    """The labels that an aggregation over replicas keeps."""

    by: tuple[str, ...]

    def job(self, *more: str) -> str:
        """Return the labels of a deployment, as PromQL lists them."""
        return ", ".join((*self.by, *more))

    def model(self, *more: str) -> str:
        """Return the labels of a model in a deployment."""
        return self.job(*MODEL, *more)

    def feature(self, *more: str) -> str:
        """Return the labels of a feature of a model."""
        return self.model("feature_name", *more)


def recording_rules(options: MonitoringOptions) -> dict[str, Any]:
    """Return the content of the recording rules' file."""
    scope = Scope(options.by)
    groups = [
        _group("driftgauge-requests", None, _requests(scope)),
        _group("driftgauge-reference", None, _reference(scope)),
    ]
    for window in options.replica_windows:
        interval = min(REPLICA_WINDOWS[window] * milliseconds(options.scrape_interval), milliseconds(LONGEST_INTERVAL))
        groups.append(_group(f"driftgauge-fleet-{window}", duration(interval), _fleet(scope, window)))
    if options.compatibility:
        groups.append(_group("driftgauge-compatibility", None, _compatibility(scope, options.window)))
    return {"groups": groups}


def _group(name: str, interval: str | None, rules: Iterator[tuple[str, str]]) -> dict[str, Any]:
    listed = [{"record": record, "expr": expr} for record, expr in rules]
    return {"name": name, **({"interval": interval} if interval else {}), "rules": listed}


def _requests(scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield the rate of predict requests by either route, and the share that failed by the server's fault."""
    labels = scope.job()
    yield f"{REQUEST_RATE}5m", f"sum by ({labels}) (rate({HTTP_REQUESTS}{{{PREDICT}}}[5m]))"
    for window in ERROR_WINDOWS:
        failed = f'sum by ({labels}) (rate({HTTP_REQUESTS}{{{PREDICT}, code=~"5.."}}[{window}]))'
        all_ = f"sum by ({labels}) (rate({HTTP_REQUESTS}{{{PREDICT}}}[{window}]))"
        yield f"{ERROR_RATIO}{window}", f"{failed}\n  / ({all_} > 0)"


def _reference(scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield the reference's shares, the same on every replica."""
    yield REFERENCE, f"max by ({scope.feature('bin')}) (model_feature_reference_ratio)"


def _fleet(scope: Scope, window: str) -> Iterator[tuple[str, str]]:
    """Yield what a window of all replicas' traffic holds: rows and shares by bin, PSI, missing ratio.

    `increase` comes before the sum, so that a restart is not a loss. Shares, and all that follows from
    them, are recorded only from as many rows on as say how big a drift is. PSI is the widely used formula
    over all bins, the special ones included, with both shares clipped. It has no evidence beside it: that
    of the replicas does not add up to that of all rows.
    """
    bins, rows, share = BIN_INCREASE + window, ROWS_INCREASE + window, SHARE + window
    required = f"clamp_min(10 * count by ({scope.feature()}) ({REFERENCE}), {JUDGED_ROWS})"
    current, expected = f"clamp_min({share}, {CLIP})", f"clamp_min({REFERENCE}, {CLIP})"
    yield bins, f"sum by ({scope.feature('bin')}) (increase({BIN_ROWS}[{window}]))"
    yield rows, f"sum by ({scope.feature()}) ({bins})"
    yield share, f"{bins} / ignoring (bin) group_left () ({rows} >= {required})"
    yield (
        FLEET_PSI + window,
        f"sum by ({scope.feature()}) (({current} - {expected}) * ln({current} / {expected}))",
    )
    yield FLEET_MISSING + window, f'sum by ({scope.feature()}) ({share}{{bin="{MISSING}"}})'


def _compatibility(scope: Scope, window: str) -> Iterator[tuple[str, str]]:
    """Yield series under the names that home-grown rules use: PSI of the largest window, the mean score."""
    largest = (
        f"model_window_capacity_rows == on ({scope.model('instance')}) group_left ()\n"
        "    max without (window) (model_window_capacity_rows)"
    )
    psi = f"model_feature_psi\n  and on ({scope.model('instance', 'window')}) ({largest})"
    yield "feature_psi_score", f"max by ({scope.feature()}) (\n  {psi}\n)"
    total = f"sum by ({scope.model()}) (increase(model_prediction_score_sum[{window}]))"
    count = f"sum by ({scope.model()}) (increase(model_prediction_score_count[{window}]))"
    yield "model_prediction_score", f"{total}\n  / ({count} > 0)"
