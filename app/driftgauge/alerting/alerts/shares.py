"""The expression of an alert on a share of rows that is above its limit."""

from __future__ import annotations

from collections.abc import Callable

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope


def above_limit(metric: str, limit: str, options: MonitoringOptions, labels: Callable[..., str]) -> str:
    """Return where a ratio is above its limit, in windows with enough rows; `labels` are a method of the scope.

    Time windows require none: they have few rows or many, and no alert rests on them.
    """
    scope, window = Scope(options.by), options.window
    rows = f"min_over_time(model_window_rows[{window}]) >= last_over_time(model_window_required_rows[{window}])"
    # The limit is aggregated, for a replaced server's old series are in the range beside the new ones.
    known, own = f"last_over_time({limit}[{window}])", labels("instance")
    return (
        f"max by ({labels()}) (\n"
        f"  min_over_time({metric}[{window}])\n"
        f"  > on ({own}) group_left () max by ({own}) ({known})\n"
        f"  and on ({scope.model('instance', 'window')}) {rows}\n"
        f"  {scope.answering(window)}\n"
        f")"
    )
