"""Does monitoring see all rows, and evaluate them in time?"""

from __future__ import annotations

from ..panels import ROWS, ROWS_RATE, SECONDS, AnyPanel, Text, lines
from ..queries import MODEL_IS, OF_A_SERVER, SLIDING, TIMED, Query, rate, rate_by


def capture() -> list[AnyPanel]:
    """Return the panels on captured rows, windows and evaluations."""
    return [*_rows(), *_windows(), *_evaluations()]


def _rows() -> list[AnyPanel]:
    dropped, rejected = (
        rate_by("reason", f"model_{kind}_total", MODEL_IS) for kind in ("observations_dropped", "timestamps_rejected")
    )
    return [
        lines(
            Text("Observations beside predictions", "Rows that entered the windows each second, by source, and rows "
                 "predicted. Bad: they differ: rows are lost.", ROWS_RATE),
            Query(f"sum by (source) ({rate('model_observations_total', MODEL_IS)})", "observed: {{source}}"),
            Query(f"sum({rate('model_predictions_total', MODEL_IS)})", "predicted"),
        ),
        lines(
            Text("Rows dropped or late, and timestamps rejected", "Rows each second. Dropped rows were lost. Rejected "
                 "timestamps were implausible, because a caller's clock is wrong. Late rows are missing from time "
                 "windows. Bad: any dropped row, because drift in dropped rows goes unnoticed.", ROWS_RATE),
            Query(dropped, "dropped: {{reason}}"), Query(rejected, "rejected: {{reason}}"),
            Query(f"sum({rate('model_observations_late_total', MODEL_IS)})", "late"),
        ),
    ]  # fmt: skip


def _windows() -> list[AnyPanel]:
    return [
        lines(
            Text("Rows in sliding windows", "Rows in each sliding window, on the server with the fewest. Bad: below "
                 "the required rows for long: the size of a change cannot be evaluated.", ROWS),
            Query(f"min by (window) (model_window_rows{{{MODEL_IS}}} {SLIDING})", "{{window}}"),
            Query(f"max by (window) (model_window_capacity_rows{{{MODEL_IS}}})", "reference: capacity of {{window}}"),
            Query(f"max(model_window_required_rows{{{MODEL_IS}}})", "required rows limit"),
        ),
        lines(
            Text("Rows in time windows", "Rows in each time window, on the server with the fewest. No verdict rests on "
                 "them, so servers export them only if asked to. Bad: the short ones are empty while the long ones are "
                 "not: traffic has stopped.", ROWS),
            Query(f"min by (window) (model_window_rows{{{MODEL_IS}}} {TIMED})", "{{window}}"), width=12, log=True,
            empty="not exported: set DRIFTGAUGE_METRICS_WINDOWS=all",
        ),
        lines(
            Text("Time to fill a sliding window", "Time in which present traffic fills each sliding window, on the "
                 "server with the least traffic, and the age at which rows leave it. Bad: above the age limit: the "
                 "window never fills. (In event time, rows age by their own timestamps.)", SECONDS),
            Query(f"max by (window) ({_time_to_fill()})", "{{window}}"),
            Query(f"max(model_window_max_age_seconds{{{MODEL_IS}}})", "age limit"), width=12, log=True,
        ),
    ]  # fmt: skip


def _time_to_fill() -> str:
    observed = f"sum by ({OF_A_SERVER}) ({rate('model_observations_total', MODEL_IS)}) > 0"
    return f"model_window_capacity_rows{{{MODEL_IS}}} / on ({OF_A_SERVER}) group_left () ({observed})"


def _evaluations() -> list[AnyPanel]:
    return [
        lines(
            Text("Age of the last evaluation", "Time since the last evaluation, on the server where it is oldest. Bad: "
                 "above the limit: the verdict is stale.", SECONDS),
            Query(f"time() - min(model_evaluation_timestamp_seconds{{{MODEL_IS}}})", "age"),
            Query(f"max(model_evaluation_age_threshold_seconds{{{MODEL_IS}}})", "limit"), width=12,
        ),
        lines(
            Text("CPU time of an evaluation", "CPU time of each server's last evaluation. Bad: growth: evaluations "
                 "become less frequent.", SECONDS),
            Query(f"max by (instance) (model_evaluation_duration_seconds{{{MODEL_IS}}})", "{{instance}}"), width=12,
        ),
    ]  # fmt: skip
