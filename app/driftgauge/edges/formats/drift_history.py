"""The history of verdicts as JSON: what `GET /drift/history` answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.verdict.history import STATISTICS, History, SeverityChange
from driftgauge.drift.verdict.news import News
from driftgauge.drift.verdict.rule import VERDICTS, Verdict


def history_json(history: History, features: Sequence[str]) -> dict[str, Any]:
    """Return the verdicts on the model and on some columns, a list with a value for each moment; NaN is unknown."""
    verdicts = [VERDICTS[rank] for rank in history.rank.tolist()]
    return {
        "at": [rfc3339(at) for at in history.at.tolist()],
        "seconds": history.seconds.tolist(),
        "status": [status for status, _ in verdicts],
        "severity": [severity for _, severity in verdicts],
        "rows_observed": [round(rows) for rows in history.rows.tolist()],
        "recent_mean": history.score_mean.tolist(),
        "features": {name: _column(history, history.names.index(name)) for name in features},
    }


def _column(history: History, place: int) -> dict[str, Any]:
    verdicts = [VERDICTS[rank] for rank in history.ranks[:, place].tolist()]
    return {
        "status": [status for status, _ in verdicts],
        "severity": [severity for _, severity in verdicts],
        **{name: history.column(name)[:, place].tolist() for name in STATISTICS},
    }


def changes_json(changes: Sequence[SeverityChange]) -> list[dict[str, Any]]:
    """Return changes of severities; `feature` is null for the verdict on the model."""
    return [
        {
            "at": rfc3339(own.at, "milliseconds"),
            "feature": own.column,
            "from": _verdict(own.before),
            "to": _verdict(own.after),
        }
        for own in changes
    ]


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"status": verdict[0], "severity": verdict[1]}


def news_json(news: News | None) -> dict[str, Any] | None:
    """Return what changed since an earlier verdict; None if there is none."""
    return None if news is None else {"since": rfc3339(news.since), "changes": list(news.sentences)}
