"""What do predictions take, do they take more than they did, and is there room for more?"""

from __future__ import annotations

from typing import Final

from ..panels import RATIO, SECONDS, AnyPanel, Text, lines
from ..queries import MODEL_IS, REPLICAS_ARE, SERVER_IS, SERVES_IT, Query, limits
from .server import process

JOB_IS: Final = 'job=~"$job"'


def efficiency() -> list[AnyPanel]:
    """Return the panels on throughput, the queue, latency beside its past, cost, and CPU, memory, files and GPUs."""
    return [*_traffic(), *_latency(), *_cost(), *process(), *_gpus()]


def _traffic() -> list[AnyPanel]:
    return [
        lines(
            Text("Throughput", "Rows and requests answered each second by all replicas of the model, over 5 minutes. "
                 "Bad: a sudden fall.", "cps"),
            Query(f"model:model_predictions:rate5m{{{REPLICAS_ARE}}}", "rows, version {{model_version}}"),
            Query(f"model:model_prediction_requests:rate5m{{{REPLICAS_ARE}}}", "requests, version {{model_version}}"),
        ),
        lines(
            Text("Failed rows and rejected requests", "Share of accepted rows on which the model failed, and of "
                 "requests that found the queue full, over all replicas and 5 minutes. Bad: above 0 for long.", RATIO),
            Query(f"max(model:model_prediction_failures:ratio_rate5m{{{REPLICAS_ARE}}})", "failed rows"),
            Query(f"max(model:model_predictions_overloaded:ratio_rate5m{{{REPLICAS_ARE}}})", "queue full"),
        ),
        lines(
            Text("Queue of the model", "Requests and rows that wait for the model, as a share of those that may wait "
                 "in all workers of the fullest server. Bad: above 50 % for long; at 100 % requests are answered 503.",
                 RATIO),
            Query(f"max by (limit) (model_queue_used_ratio{{{MODEL_IS}}})", "{{limit}}"), soft_max=1,
        ),
    ]  # fmt: skip


def _latency() -> list[AnyPanel]:
    latency = "model_size:model_prediction_latency_seconds"
    return [
        lines(
            Text("Latency beside its past", "95th percentile of latency over 5 minutes of all replicas, by size of "
                 "the request, and its median of the last 7 days without the last hour. No line below 20 requests in 5 "
                 "minutes, and no past before a day is known. Bad: far above its past.", SECONDS),
            Query(f"max by (batch_size_bucket) ({latency}:p95_5m{{{REPLICAS_ARE}}})", "{{batch_size_bucket}}"),
            Query(f"max by (batch_size_bucket) ({latency}:p95_7d_median{{{REPLICAS_ARE}}})",
                  "reference: {{batch_size_bucket}}, last 7 days"),
            width=12, empty="too few requests",
        ),
        lines(
            Text("Rise of latency over its past", "How much the 95th percentile is above its median of the last 7 "
                 "days: 50 % is half as much again. Bad: above a limit for a quarter of an hour, which raises an alert "
                 "unless the level is usual at other hours.", RATIO),
            Query(f"max by (batch_size_bucket) (model_size:model_prediction_latency_rise:ratio5m{{{REPLICAS_ARE}}})",
                  "{{batch_size_bucket}}"),
            limits("model_prediction_latency_rise_threshold_ratio", MODEL_IS),
            width=12, empty="no past of a day yet",
        ),
    ]  # fmt: skip


def _cost() -> list[AnyPanel]:
    return [
        lines(
            Text("Cost of a thousand predictions", "Price of all servers of the job, divided among the rows that they "
                 "answered in an hour, idle time included. No line without a price (price_per_hour) or "
                 "predictions. Bad: a rise without a fall of traffic."),
            Query(f"job:server_cost_per_thousand_predictions:rate1h{{{JOB_IS}}}", "{{currency}}"),
            empty="no price is set (price_per_hour)",
        ),
        lines(
            Text("CPU time of a thousand predictions", "CPU time of all workers of the job in an hour, by the rows "
                 "that they answered; idle time does not count. Bad: a rise: predictions have become more expensive to "
                 "compute.", SECONDS),
            Query(f"job:process_cpu_seconds_per_thousand_predictions:rate1h{{{JOB_IS}}}", "{{job}}"),
        ),
        lines(
            Text("Cost of a second of CPU time", "Price of all servers of the job, divided among the seconds of CPU "
                 "time that they used in an hour. No line without a price (price_per_hour). Bad: a rise: the servers "
                 "are used less."),
            Query(f"job:server_cost_per_cpu_second:rate1h{{{JOB_IS}}}", "{{currency}}"),
            empty="no price is set (price_per_hour)",
        ),
    ]  # fmt: skip


def _gpus() -> list[AnyPanel]:
    def of_servers(expr: str) -> str:
        return f"max by (instance, gpu) ({expr} {SERVES_IT})"

    used, size = (f"gpu_memory_{own}bytes{{{SERVER_IS}}}" for own in ("used_", ""))
    return [
        lines(
            Text("GPU use", "Share of the driver's last sampling period in which each GPU computed, for any program. "
                 "Bad: near 100 % for long: requests wait.", RATIO),
            Query(of_servers(f"gpu_utilization_ratio{{{SERVER_IS}}}"), "{{instance}} GPU {{gpu}}"),
            width=12, height=6, soft_max=1, empty="no GPU is known",
        ),
        lines(
            Text("GPU memory", "Share of each GPU's memory that all programs use. Bad: near 100 %: the model may not "
                 "find room.", RATIO),
            Query(of_servers(f"{used} / {size}"), "{{instance}} GPU {{gpu}}"),
            width=12, height=6, soft_max=1, empty="no GPU is known",
        ),
    ]  # fmt: skip
