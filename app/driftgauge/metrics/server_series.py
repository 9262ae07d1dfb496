"""The series of the server, its workers' processes and its prediction log.

As `series`, this module imports no report, so that `state` can build its layout on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from driftgauge.errors import DENIALS, HANG_UPS, LIMITED
from driftgauge.metrics.series import LATENCY_BUCKETS, CounterSpec, Declared, Labels, each

Route = tuple[str, str, Sequence[int]]
"""Method, handler, and the status codes that it answers."""


def server_series(routes: Sequence[Route], from_start: Iterable[Labels] = ()) -> tuple[CounterSpec, ...]:
    """Return the server's own series; `from_start` are the (method, handler) that are listed before a first request."""
    requests = tuple((method, handler, str(code)) for method, handler, codes in routes for code in (*codes, "other"))
    at_zero = frozenset(from_start)
    return (
        CounterSpec(
            HTTP_REQUESTS,
            "counter",
            "Requests answered, by method, route and status code.",
            ("method", "handler", "code"),
            requests,
            group_by=2,
            from_start=at_zero,
        ),
        CounterSpec(
            HTTP_DURATION,
            "histogram",
            "Time from a request's head to the end of its answer, by method and route.",
            ("method", "handler"),
            tuple((method, handler) for method, handler, _ in routes),
            LATENCY_BUCKETS,
            group_by=2,
            from_start=at_zero,
        ),
        CONNECTIONS_REFUSED,
        REQUESTS_DENIED,
        REQUESTS_LIMITED,
    )


HTTP_REQUESTS: Final = "http_requests_total"
HTTP_DURATION: Final = "http_request_duration_seconds"
CONNECTIONS_REFUSED: Final = CounterSpec(
    "http_connections_refused_total",
    "counter",
    "Connections that the server refused or closed before the client did, by reason. Idle timeouts are not counted.",
    ("reason",),
    each(HANG_UPS),
)
REQUESTS_DENIED: Final = CounterSpec(
    "http_requests_denied_total",
    "counter",
    "Requests that were refused because they had no token, an unknown one, or one without the scope, by reason.",
    ("reason",),
    each(DENIALS),
)
REQUESTS_LIMITED: Final = CounterSpec(
    "http_requests_limited_total",
    "counter",
    "Requests that were answered 429, because their caller sends too many or holds its share of the queue, by reason.",
    ("reason",),
    each(LIMITED),
)


# ---------------------------------------------------------------- what is known of each worker's process

SLOT: Final = "slot"
_CPU: Final = Declared("process_cpu_seconds_total", "counter", "CPU time of the workers, user and system.", (SLOT,))
_OF_PROCESS: Final = (
    ("process_virtual_memory_bytes", "Virtual memory of a worker."),
    (
        "process_resident_memory_bytes",
        "Resident memory of a worker. Memory that workers share counts for each of them.",
    ),
    ("process_start_time_seconds", "Time at which a worker started."),
    ("process_open_fds", "Open file descriptors of a worker."),
    ("process_max_fds", "Limit on the open file descriptors of a worker."),
)
PROCESS: Final = (_CPU, *(Declared(name, "gauge", text, (SLOT,)) for name, text in _OF_PROCESS))
"""Named as in prometheus_client. CPU time sums all processes that a slot has had; the others are of the running
one."""
CPU: Final = 0
"""The position of CPU time among them."""
QUEUED: Final = len(PROCESS)
"""The position of the rows that wait for the prediction log, behind them."""
MODEL_QUEUE: Final = slice(QUEUED - 1, QUEUED + 1)
"""Where the state of a served model, which has no numbers of a process, has the requests and the rows that wait for
the model."""
WORKER_NUMBERS: Final = len(PROCESS) + 1
"""Numbers that each worker publishes of itself."""
NO_SLOT: Final = "retired"
"""The label of removed slots, of which only CPU time remains."""

# ---------------------------------------------------------------- limits and the prediction log

ERROR_BUDGET: Final = "http_requests_error_budget_ratio"
BUDGET: Final = Declared(
    ERROR_BUDGET, "gauge", "Share of prediction requests that may fail because of the server: the error budget."
)
PRICE: Final = Declared(
    "server_price_per_second",
    "gauge",
    "Price of the server each second, by currency: `price_per_hour` / 3600. Absent without this setting.",
    ("currency",),
)
CALLER_LIMITS: Final = (
    Declared(
        "http_caller_requests_per_second_limit",
        "gauge",
        "Average number of requests per second that one caller may send to a worker; absent without a limit.",
    ),
    Declared(
        "http_caller_concurrent_requests_limit",
        "gauge",
        "Requests of one caller that a worker answers at once; absent without a limit.",
    ),
    Declared(
        "http_caller_queue_share_limit_ratio",
        "gauge",
        "Share of a model's queue that one caller may hold; absent without a limit.",
    ),
)
"""In the order of `ServerFacts.caller_limits`."""
NOTIFICATIONS: Final = Declared(
    "server_notifications_total",
    "counter",
    "Notifications by the receiver's name in the settings and by result: accepted (`sent`), to be tried again "
    "(`retried`), given up (`failed`); and changes of alerts beyond `most_an_hour` (`left_out`). Absent without "
    "receivers.",
    ("name", "result"),
)
TELEMETRY: Final = Declared(
    "server_telemetry_items_total",
    "counter",
    "Data points (`metrics`) and spans (`traces`) for the OTLP collector, by signal and result: accepted (`sent`), not "
    "accepted (`failed`), or without room in the queue (`dropped`). Absent without otlp_endpoint.",
    ("signal", "result"),
)
TELEMETRY_LIMIT: Final = Declared(
    "server_telemetry_lost_threshold_ratio",
    "gauge",
    "Share of the items for the OTLP collector that may be lost before an alert is raised. Absent without "
    "otlp_endpoint.",
)
LOG_GAUGES: Final = (
    Declared(
        "prediction_log_queued_rows",
        "gauge",
        "Predictions that wait to be written to the prediction log, in all workers.",
    ),
    Declared(
        "prediction_log_queue_limit_rows",
        "gauge",
        "Predictions that may wait in all workers, the same number in each; more are dropped.",
    ),
    Declared("prediction_log_bytes", "gauge", "Size of the prediction log at the last look, some seconds ago."),
    Declared("prediction_log_limit_bytes", "gauge", "Size from which the oldest predictions are deleted."),
    Declared(
        "prediction_log_disk_free_bytes",
        "gauge",
        "Free space of the disk that holds the prediction log; absent for PostgreSQL.",
    ),
    Declared(
        "prediction_log_disk_free_threshold_bytes",
        "gauge",
        "Free space below which an alert is raised. At half of it predictions are no longer logged.",
    ),
    Declared(
        "prediction_log_damaged_files",
        "gauge",
        "Damaged databases that lie beside the prediction log, which goes on in a new one; absent for PostgreSQL.",
    ),
)
"""In the order of `ServerFacts.prediction_log`."""

# ---------------------------------------------------------------- actions on alerts

ACTIONS: Final = Declared(
    "server_actions_total",
    "counter",
    "Decisions on actions that have ended, by action and result: done, failed, unknown, refused, dry_run. Only with "
    "actions in the settings.",
    ("action", "result"),
)
ACTION_LAST: Final = Declared(
    "server_action_last_result_timestamp_seconds",
    "gauge",
    "When the last decision on an action ended with the result; absent for a result that has not been.",
    ("action", "result"),
)
