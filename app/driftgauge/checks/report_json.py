"""The report of a check as JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import orjson

from driftgauge.edges.formats.drift_status import report_json
from driftgauge.edges.formats.multivariate import multivariate_json
from driftgauge.edges.formats.quality import quality_json
from driftgauge.models.bundle import Performance

if TYPE_CHECKING:
    from driftgauge.checks.report import CheckReport, WindowVerdict

UNKNOWN_OF_COUNTS: Final = (
    "not known from counts: Kolmogorov-Smirnov, Wasserstein, quantiles, correlations, whole rows, the model's "
    "performance, and constraints on more than missing values and categories"
)
"""What the report of rows says, and that of counts in bins does not."""


def as_bytes(report: CheckReport) -> bytes:
    """Return JSON: the report of a single window, or `{"periods": [...]}`; NaN is null."""
    periods = [_window(verdict, report) for verdict in report.windows]
    return orjson.dumps({"periods": periods} if report.is_history else periods[0], option=orjson.OPT_NON_STR_KEYS)


def dict_of(report: CheckReport) -> dict[str, Any]:
    """Return the same as a dict, with None for an unknown number."""
    found: dict[str, Any] = orjson.loads(as_bytes(report))
    return found


def _window(verdict: WindowVerdict, check: CheckReport) -> dict[str, Any]:
    """Return a report as `GET /drift/status` has it, preceded by the window's own keys."""
    report = report_json(verdict.report)
    return {
        "window": verdict.window,
        "tables": [os.fsencode(path).decode("utf-8", "replace") for path in verdict.tables],
        **({"partitions": list(verdict.partitions), "unknown": UNKNOWN_OF_COUNTS} if verdict.partitions else {}),
        "drifting_since": dict(verdict.since),
        "unanswered_rows": verdict.unanswered_rows,
        "performance": _performance(verdict.performance, check.held_out),
        **({} if verdict.multivariate is None else {"multivariate": multivariate_json(verdict.multivariate)}),
        **({} if verdict.quality is None else {"quality": quality_json(verdict.quality)}),
        **report,
        # Of the whole baseline, as a server reports it.
        "baseline": {**report["baseline"], "hash": check.baseline.hash},
    }


def _performance(found: Performance | None, held_out: Performance | None) -> dict[str, Any] | None:
    if found is None:
        return None
    before = None if held_out is None else held_out.model_dump()
    return {"rows": found.rows, "metrics": found.metrics, "when_made": before}
