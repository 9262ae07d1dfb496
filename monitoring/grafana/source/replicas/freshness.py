"""Does each replica evaluate in time, see traffic, and keep all rows?"""

from __future__ import annotations

from ..panels import ROWS, ROWS_RATE, SECONDS, AnyPanel, Text, lines
from ..queries import MODEL_IS, SLIDING, Query, rate
from .each import AGE, AGE_LIMIT


def freshness() -> list[AnyPanel]:
    """Return the panels on evaluations, traffic, windows and lost rows, by replica."""
    return [*_times(), *_rows()]


def _times() -> list[AnyPanel]:
    return [
        lines(
            Text("Age of the verdict", "Time since the last evaluation of each replica. Bad: above the limit: the "
                 "verdict is stale, and DriftgaugeServerDown or ModelEvaluationStale fires.", SECONDS),
            Query(f"max by (instance) ({AGE})", "{{instance}}"), Query(AGE_LIMIT, "limit"), width=12,
        ),
        lines(
            Text("CPU time of an evaluation", "CPU time of the last evaluation of each replica. Bad: one replica that "
                 "needs far more than the others: its machine is slower or busy.", SECONDS),
            Query(f"max by (instance) (model_evaluation_duration_seconds{{{MODEL_IS}}})", "{{instance}}"), width=12,
        ),
    ]  # fmt: skip


def _rows() -> list[AnyPanel]:
    dropped = f"sum by (instance) ({rate('model_observations_dropped_total', MODEL_IS)})"
    return [
        lines(
            Text("Predictions by replica", "Rows that each replica predicts in a second. Bad: one with far less "
                 "traffic, or far more: the load balancer does not spread requests.", ROWS_RATE),
            Query(f"sum by (instance) ({rate('model_predictions_total', MODEL_IS)})", "{{instance}}"),
        ),
        lines(
            Text("Rows in the fullest sliding window", "Rows that the largest sliding window of each replica holds. "
                 "Bad: below the required rows: this replica cannot judge the size of a change.", ROWS),
            Query(f"max by (instance) (model_window_rows{{{MODEL_IS}}} {SLIDING})", "{{instance}}"),
            Query(f"max(model_window_required_rows{{{MODEL_IS}}})", "required rows limit"),
        ),
        lines(
            Text("Rows dropped by replica", "Rows that were predicted and not monitored, each second. Bad: any: drift "
                 "in dropped rows goes unnoticed.", ROWS_RATE),
            Query(dropped, "{{instance}}"),
        ),
    ]  # fmt: skip
