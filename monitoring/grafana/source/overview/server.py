"""Are requests answered in time, and does the process have what it needs?"""

from __future__ import annotations

from typing import Final

from ..panels import PLAIN, RATIO, SECONDS, AnyPanel, Text, lines
from ..queries import MODEL_IS, SERVER_IS, SERVES_IT, Query, limits, rate, rate_by

ERRORS: Final = "job:http_request_errors:ratio_rate"

RUNNING: Final = f'{SERVER_IS}, slot!="retired"'
"""Workers that run, without those that are no more."""


def requests() -> list[AnyPanel]:
    """Return the panels on requests, their errors and their latency."""
    return [
        lines(
            Text("Requests by route", "Requests answered each second, by the route that answered. Bad: a sudden fall "
                 "to zero.", "reqps"),
            Query(rate_by("handler", "http_requests_total", SERVER_IS), "{{handler}}"),
        ),
        lines(
            Text("Responses by status code", "Responses each second, by status code. Bad: any 5xx (the server failed); "
                 "a rise of 4xx (a caller has changed).", "reqps"),
            Query(rate_by("code", "http_requests_total", SERVER_IS), "{{code}}"),
        ),
        lines(
            Text("Failed prediction requests beside their budget", "Share of prediction requests, by either route, "
                 "answered 5xx by all servers of the job. Bad: above the budget for hours; several times the budget "
                 "raises an alert.", RATIO),
            Query(f'{ERRORS}5m{{job=~"$job"}}', "5 minutes"),
            Query(f'{ERRORS}1h{{job=~"$job"}}', "1 hour"),
            Query(f"max(http_requests_error_budget_ratio{{{SERVER_IS}}})", "budget limit"),
        ),
        *_latency(),
        lines(
            Text("Connections refused or closed", "Connections that the server refused, or closed before the client "
                 "did, each second by reason. Bad: too_many_connections or slow_evicted, which raise an alert: "
                 "clients find no free connection.", "cps"),
            Query(rate_by("reason", "http_connections_refused_total", SERVER_IS), "{{reason}}"), width=12, height=6,
        ),
        lines(
            Text("Notifications", "Messages about alerts that servers send themselves, each second by result; left_out "
                 "are changes beyond the limit of an hour. Bad: any failed, which raises an alert: people are not "
                 "told.", "cps"),
            Query(rate_by("result", "server_notifications_total", SERVER_IS), "{{result}}"), width=12, height=6,
            empty="the settings name no receivers",
        ),
        lines(
            Text("Items for the OTLP collector", "Data points and spans that servers send to a collector of "
                 "OpenTelemetry, each second by signal and result. Bad: failed or dropped above the limit, which "
                 "raises an alert: dashboards behind the collector have gaps.", "cps"),
            Query(rate_by("signal, result", "server_telemetry_items_total", SERVER_IS), "{{signal}} {{result}}"),
            width=12, height=6, empty="the settings name no collector",
        ),
    ]  # fmt: skip


def _latency() -> list[AnyPanel]:
    limit = limits("model_prediction_latency_threshold_seconds", MODEL_IS)
    return [
        lines(
            Text("Prediction latency", "Time from the arrival of a request to the prediction of its rows. Bad: the "
                 "95th percentile above a limit.", SECONDS),
            *(Query(_quantile(q, "le"), f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99)),
            limit, width=12,
        ),
        lines(
            Text("95th percentile of latency by size of request", "Latency by rows in the request: small (below 10), "
                 "medium (below 100), large. The alert compares these. Bad: above a limit.", SECONDS),
            Query(_quantile(0.95, "le, batch_size_bucket"), "{{batch_size_bucket}}"),
            limit, width=12,
        ),
    ]  # fmt: skip


def _quantile(share: float, by: str) -> str:
    """Return a quantile of the latency; the comparison drops sizes without requests, whose quantile is not a number."""
    bucket = rate("model_prediction_latency_seconds_bucket", MODEL_IS)
    return f"histogram_quantile({share}, sum by ({by}) ({bucket})) >= 0"


def process() -> list[AnyPanel]:
    """Return the panels on CPU, memory, open files and the models of each server."""
    return [
        lines(
            Text("CPU", "Cores used by each server, all its workers together. Bad: as many as it has workers, or its "
                 "machine has cores, for long: latency rises.", "suffix:cores"),
            # A slot that is folded adds its CPU time to that of the retired ones all at once.
            Query(f"sum by (instance) ({rate('process_cpu_seconds_total', RUNNING)} {SERVES_IT})", "{{instance}}"),
        ),
        lines(
            Text("Memory", "Resident memory of each worker, by its slot. Memory that workers share counts in each. "
                 "Bad: steady growth. All buffers are bounded.", "bytes"),
            Query(f"max by (instance, slot) (process_resident_memory_bytes{{{SERVER_IS}}} {SERVES_IT})",
                  "{{instance}} slot {{slot}}"),
        ),
        lines(
            Text("Open files", "Open files and connections of each server's fullest worker, as a share of its limit. "
                 "Bad: near 100 %: the server then refuses connections.", RATIO),
            Query(f"max by (instance) (process_open_fds{{{SERVER_IS}}} / process_max_fds{{{SERVER_IS}}} {SERVES_IT})",
                  "{{instance}}"),
        ),
        lines(
            Text("Models loaded", "Whether each server of several models could load its models, 1 or 0; a server of "
                 "one model has no line. Bad: 0, which raises an alert: requests for that model are refused.", PLAIN),
            Query(f"min by (instance, model_name) (model_available{{{SERVER_IS}}} {SERVES_IT})",
                  "{{instance}} {{model_name}}"),
            width=24, height=6, soft_max=1, empty="no server of several models",
        ),
        lines(
            Text("Actions on alerts", "Decisions on actions in the time that is shown, by action and result. "
                 "Bad: failed or unknown, which raise an alert: GET /actions says why.", PLAIN),
            Query(f"sum by (action, result) (increase(server_actions_total{{{SERVER_IS}}}[$__range])) > 0",
                  "{{action}} {{result}}"),
            width=24, height=6, empty="no actions",
        ),
    ]  # fmt: skip
