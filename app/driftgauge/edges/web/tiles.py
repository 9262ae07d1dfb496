"""The numbers of the service at the top of the page, each with its explanation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.numbers import percent
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.web.facts import Efficiency, PageFacts, Traffic
from driftgauge.edges.web.words import ago, count, duration, number, share


@dataclass(frozen=True)
class Tile:
    """A number of the service with its explanation."""

    name: str
    term: str
    """The anchor of its explanation; empty without one."""
    value: str
    note: str
    is_bad: bool = False


def tiles_of(facts: PageFacts) -> list[Tile]:
    """Return the tiles of a page in their order."""
    traffic = facts.traffic
    return [
        *([] if traffic is None else [_predictions(facts.report, traffic)]),
        *([] if facts.efficiency is None else [_throughput(facts.efficiency)]),
        *([] if traffic is None else [_latency(traffic), _errors(traffic)]),
        _window(facts.report.main),
        *([] if facts.health.kept == "" else [_monitoring(facts)]),
    ]


def _predictions(report: DriftReport, traffic: Traffic) -> Tile:
    recent = [window for window in report.windows.values() if window.seconds is not None]
    note = ", ".join(f"{window.rows:,} in {window.name}" for window in recent)
    return Tile("Predictions", "", f"{traffic.predictions:,.0f}", note or "rows since the start")


def _throughput(lately: Efficiency) -> Tile:
    if math.isnan(lately.rows_per_second):
        return Tile("Throughput", "throughput", number(lately.rows_per_second), "nothing counted yet")
    parts = [f"{number(lately.requests_per_second)} requests/s", f"p95 {duration(lately.latency_p95)}"]
    parts += [f"{share(lately.failed_ratio)} failed"] if lately.failed_ratio > 0 else []
    parts.append(f"queue {share(max(lately.queued_requests_ratio, lately.queued_rows_ratio))} full")
    is_full = lately.overloaded_ratio > 0
    parts += [f"{share(lately.overloaded_ratio)} of the requests rejected because it was full"] if is_full else []
    note = f"{', '.join(parts)}, in the last {ago(lately.seconds)}"
    return Tile("Throughput", "throughput", f"{number(lately.rows_per_second)} rows/s", note, is_full)


def _latency(traffic: Traffic) -> Tile:
    if math.isnan(traffic.latency_p99):
        return Tile("Latency p99", "latency", duration(traffic.latency_p99), "nothing measured yet")
    note = f"p50 {duration(traffic.latency_p50)}, limit {duration(traffic.latency_limit)}"
    is_bad = traffic.latency_p99 > traffic.latency_limit
    return Tile("Latency p99", "latency", duration(traffic.latency_p99), note, is_bad)


def _errors(traffic: Traffic) -> Tile:
    tried = traffic.predictions + traffic.failures
    ratio = traffic.failures / tried if tried else 0.0
    most = f", most often {traffic.rejected_most}" if traffic.rejected_most else ""
    note = f"{traffic.failures:,.0f} rows failed; {count(int(traffic.rejected), 'request')} rejected{most}"
    return Tile("Failed", "", percent(ratio), note, traffic.failures > 0)


def _window(window: WindowReport) -> Tile:
    if window.start is None or window.end is None:
        note = f"of {window.capacity:,}" if window.slides and window.capacity else "of the table"
        return Tile("Window", "window", count(window.rows, "row"), note)
    size = f"of {window.capacity:,} rows" if window.slides and window.capacity else "rows"
    return Tile("Window", "window", f"{window.rows:,}", f"{size}, over {ago(window.end - window.start)}")


def _monitoring(facts: PageFacts) -> Tile:
    problems = len(facts.health.problems)
    lost = facts.traffic.dropped if facts.traffic else 0.0
    note = f"{lost:,.0f} rows dropped" if lost else "no rows dropped"
    return Tile("Monitoring", "dropped", count(problems, "problem") if problems else "healthy", note, problems > 0)
