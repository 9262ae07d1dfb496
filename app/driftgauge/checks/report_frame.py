"""The report of a check as a pandas DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftgauge.checks.report_columns import DETAILS, SCORES, SHARES
from driftgauge.errors import CheckError

if TYPE_CHECKING:
    import pandas as pd

    from driftgauge.checks.report import CheckReport, WindowVerdict


def frame_of(report: CheckReport) -> pd.DataFrame:
    """Return a row per column, worst first; in a history, a row per window and column."""
    try:
        import pandas as pd  # an extra: only this needs it
    except ImportError as error:
        raise CheckError(
            "to_frame() needs pandas: install it (pip install 'driftgauge[pandas]'), or use to_dict()"
        ) from error
    frames = [_window(verdict, pd.DataFrame, pd.Index) for verdict in report.windows]
    if not report.is_history:
        return frames[0]
    return pd.concat(frames, keys=[verdict.window for verdict in report.windows], names=["window", "column"])


def _window(verdict: WindowVerdict, frame: type[pd.DataFrame], index: type[pd.Index[str]]) -> pd.DataFrame:
    report = verdict.report
    order = list(report.worst_first)
    columns = [report.verdicts[i] for i in order]
    numbers = [number for shown in (*SCORES, *DETAILS, *SHARES) for number in shown.numbers]
    return frame(
        {
            "kind": [report.baseline.columns[i].kind for i in order],
            "status": [str(column.status) for column in columns],
            "severity": [None if column.severity is None else str(column.severity) for column in columns],
            **{number.name: number.values(report)[order] for number in numbers},
            "reason": [column.reason for column in columns],
        },
        index=index([column.name for column in columns], name="column"),
    )
