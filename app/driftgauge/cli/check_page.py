"""The report of a check as one HTML file, which shows what the page of a service shows."""

from __future__ import annotations

from pathlib import PurePath

from driftgauge.checks.report import CheckReport
from driftgauge.edges.web.facts import NO_LINKS, PageFacts, Period
from driftgauge.edges.web.render import render_report


def check_page(report: CheckReport) -> str:
    """Return the page of the window with the worst verdict, which lists the others."""
    worst = report.worst
    periods = [Period(one.window, one.report, one is worst) for one in report.windows] if report.is_history else []
    return render_report(
        PageFacts(_name(report), "", worst.report, periods=periods, links=NO_LINKS, quality=worst.quality)
    )


def _name(report: CheckReport) -> str:
    """Return the names of the checked tables or profiles, or that of the window of a table in memory."""
    paths = (PurePath(path).name for one in report.windows for path in one.tables)
    tables = list(dict.fromkeys([*paths, *(name for one in report.windows for name in one.partitions)]))
    more = f" and {len(tables) - 3} more" if len(tables) > 3 else ""
    return f"{', '.join(tables[:3])}{more}" if tables else report.worst.window
