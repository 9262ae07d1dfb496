"""Recording rules of efficiency: throughput, failures, latency beside its own past, and what predictions cost.

All add up the replicas. Latency is compared by size of the request, because larger requests take longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.scope import Scope
from driftgauge.errors import Reason
from driftgauge.metrics.series import FAILED, LATENCY, PREDICTIONS, REJECTED
from driftgauge.metrics.server_series import PRICE, SLOT

LATENCY_REQUESTS: Final = 20
"""Fewest requests of which a 95th percentile is judged."""
PAST: Final = "[7d] offset 1h"
"""The past that latency is compared with; the last hour is left out, so that a rise is not compared with itself."""
PAST_MINUTES: Final = 240
"""Fewest minutes of the past with enough requests."""
FIRST_DAY: Final = "[6d] offset 1d"
"""The part of the past that begins a day ago: without a sample of it, the past is shorter than a day."""
USUAL_HIGH: Final = 0.8
"""Quantile of the past above which latency is unusual: busy hours of up to a fifth of the week are usual."""
PRESENT_INTERVAL: Final = "1m"
PAST_INTERVAL: Final = "4m"
"""Intervals of evaluation; the past changes slowly, and ten thousand samples of each series are read for it."""

ROWS_RATE: Final = "model:model_predictions:rate5m"
REQUESTS_RATE: Final = "model:model_prediction_requests:rate5m"
FAILURE_RATIO: Final = "model:model_prediction_failures:ratio_rate5m"
OVERLOAD_RATIO: Final = "model:model_predictions_overloaded:ratio_rate5m"
LATENCY_P95: Final = "model_size:model_prediction_latency_seconds:p95_5m"
LATENCY_MEAN: Final = "model_size:model_prediction_latency_seconds:mean5m"
PAST_P95: Final = "model_size:model_prediction_latency_seconds:p95_7d_median"
PAST_P95_HIGH: Final = "model_size:model_prediction_latency_seconds:p95_7d_high"
PAST_MEAN: Final = "model_size:model_prediction_latency_seconds:mean7d_median"
LATENCY_RISE: Final = "model_size:model_prediction_latency_rise:ratio5m"
COST_PER_THOUSAND: Final = "job:server_cost_per_thousand_predictions:rate1h"
COST_PER_CPU_SECOND: Final = "job:server_cost_per_cpu_second:rate1h"
CPU_PER_THOUSAND: Final = "job:process_cpu_seconds_per_thousand_predictions:rate1h"
CURRENCY: Final = "currency"

Rules = Iterator[tuple[str, str]]


def throughput_rules(scope: Scope) -> Rules:
    """Yield rows and requests each second, and the shares of rows that failed and of requests that found no room."""
    model = scope.model()
    answered = f"sum by ({model}) (rate({PREDICTIONS.name}[5m]))"
    failed = f"sum by ({model}) (rate({FAILED.name}[5m]))"
    requests = f"sum by ({model}) (rate({LATENCY.name}_count[5m]))"
    turned_away = f'sum by ({model}) (rate({REJECTED.name}{{reason="{Reason.OVERLOADED}"}}[5m]))'
    yield ROWS_RATE, answered
    yield REQUESTS_RATE, requests
    yield FAILURE_RATIO, f"{failed}\n  / ({answered} + {failed} > 0)"
    yield OVERLOAD_RATIO, f"{turned_away}\n  / ({requests} + {turned_away} > 0)"


def latency_rules(scope: Scope) -> Rules:
    """Yield the latency of now, where there are enough requests, and its rise over the past."""
    size = scope.model("batch_size_bucket")
    enough = f"sum by ({size}) (increase({LATENCY.name}_count[5m])) >= {LATENCY_REQUESTS}"
    quantile = f"histogram_quantile(0.95, sum by ({size}, le) (rate({LATENCY.name}_bucket[5m])))"
    total, count = (f"sum by ({size}) (rate({LATENCY.name}_{part}[5m]))" for part in ("sum", "count"))
    yield LATENCY_P95, f"{quantile}\n  and {enough}"
    yield LATENCY_MEAN, f"{total}\n  / ({count} > 0)\n  and {enough}"
    yield LATENCY_RISE, f"{LATENCY_P95} / {PAST_P95} - 1"


def past_latency_rules() -> Rules:
    """Yield the usual latency of the last seven days, where they hold a day or more."""
    known = f"count_over_time({LATENCY_P95}{PAST}) >= {PAST_MINUTES}\n  and present_over_time({LATENCY_P95}{FIRST_DAY})"
    yield PAST_P95, f"quantile_over_time(0.5, {LATENCY_P95}{PAST})\n  and {known}"
    yield PAST_P95_HIGH, f"quantile_over_time({USUAL_HIGH}, {LATENCY_P95}{PAST})\n  and {known}"
    yield PAST_MEAN, f"quantile_over_time(0.5, {LATENCY_MEAN}{PAST})\n  and {known}"


def cost_rules(scope: Scope) -> Rules:
    """Yield what predictions and CPU time cost, by the price of the servers.

    The first shares the whole price out among predictions; the second among seconds of CPU time that were used.
    """
    by = scope.job()
    price = f"sum by ({scope.job(CURRENCY)}) ({PRICE.name})"
    rows = f"sum by ({by}) (rate({PREDICTIONS.name}[1h]))"
    used = f'sum by ({by}) (rate(process_cpu_seconds_total{{{SLOT}!="retired"}}[1h]) and on ({scope.job("instance")}) '
    used += f"group by ({scope.job('instance')}) (model_info))"
    yield COST_PER_THOUSAND, f"{price}\n  / on ({by}) group_left () ({rows} / 1000 > 0)"
    yield COST_PER_CPU_SECOND, f"{price}\n  / on ({by}) group_left () ({used} > 0)"
    yield CPU_PER_THOUSAND, f"{used}\n  / ({rows} / 1000 > 0)"
