"""What the server knows beside drift, for a diagnosis: performance, the system, and earlier versions."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Final

from driftgauge.drift.diagnosis.actions import actions_for
from driftgauge.drift.diagnosis.facts import SystemFacts
from driftgauge.drift.diagnosis.steps import LONG_SILENCE
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.monitor.diagnoses import Diagnosed
from driftgauge.monitor.diagnosis_facts import LiveFacts
from driftgauge.releases.release import Role, live_stack

WAIT_SECONDS: Final = 30.0
"""Longest wait for a diagnosis; that of hundreds of columns that have drifted takes seconds."""
UNDIAGNOSED: Final = "diagnosis_failed"
"""The problem of a diagnosis that failed; it is not one of the model."""


async def diagnosis_of(
    monitoring: Monitoring,
    model: ModelMonitoring,
    server_url: str | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> Diagnosed:
    """Return the diagnosis of a model, which is evaluated first if rows came; commands name the server's address.

    Refused if monitoring is off; TimeoutError if it takes too long, and whatever it fails with.
    """
    await model.evaluations.current()

    async def live() -> LiveFacts:
        return await live_facts(monitoring, model)

    diagnosed = await model.diagnoses.current(live, wait_seconds)
    return diagnosed if server_url is None else at_address(diagnosed, server_url)


def at_address(diagnosed: Diagnosed, server_url: str) -> Diagnosed:
    """Return a diagnosis whose commands name the address of the server."""
    facts = replace(diagnosed.facts, server_url=server_url)
    causes = [replace(own, actions=actions_for(own.kind, facts, own.columns)) for own in diagnosed.diagnosis.causes]
    return replace(diagnosed, facts=facts, diagnosis=replace(diagnosed.diagnosis, causes=tuple(causes)))


async def live_facts(monitoring: Monitoring, model: ModelMonitoring) -> LiveFacts:
    """Return what is known of a model beside its drift."""
    performance = await model.latest_performance()
    system = await system_facts(monitoring, model)
    return LiveFacts(
        performance,
        system,
        _earlier_version(model),
        bundle=_absolute(model.settings.bundle),
        state_folder=_absolute(monitoring.settings.state_folder),
        needs_token=monitoring.settings.tokens_file is not None,
        replaces_versions=model.release is not None,
    )


async def system_facts(monitoring: Monitoring, model: ModelMonitoring) -> SystemFacts:
    """Return how the server and the monitor do."""
    problems, _ = await monitoring.state(model)
    facts = await monitoring.facts_of(model)
    recent, last, now = model.recent.recent(facts.arrays), model.monitor.last, monitoring.clock()
    newest = None if last.report.main.rows == 0 else last.report.main.end
    received = newest if facts.ingest is None else facts.ingest.last_received
    return SystemFacts(
        latency_p95_seconds=recent.p95_seconds,
        latency_p99_seconds=recent.p99_seconds,
        latency_threshold_seconds=facts.limits.latency_seconds[0],
        past_latency_p95_seconds=recent.past_p95_seconds,
        past_latency_p99_seconds=recent.past_p99_seconds,
        requests=recent.requests,
        error_ratio=recent.failed_ratio,
        error_threshold=monitoring.settings.error_budget_ratio,
        queue_ratio=math.nan if facts.queue is None else max(facts.queue),
        rows_lost=recent.dropped,
        seconds_since_row=math.nan if received is None else max(0.0, now - received),
        usual_seconds_between_rows=facts.ingest.stale_seconds / LONG_SILENCE if facts.ingest else math.nan,
        evaluation_age_seconds=max(0.0, now - last.at),
        evaluation_threshold_seconds=facts.limits.evaluation_age_seconds,
        problems=tuple(own for own in problems if not own.startswith(UNDIAGNOSED)),
    )


def _absolute(folder: Path | None) -> str | None:
    return None if folder is None else str(folder.absolute())


def _earlier_version(model: ModelMonitoring) -> str | None:
    """Return the version that a rollback would bring back; None without one."""
    if model.release is None or model.release.role is not Role.LIVE:
        return None
    earlier = live_stack(model.release.history)[:-1]
    return earlier[-1] if earlier else None
