"""Puts notifications together: the rules of the settings, the server's own metrics, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.metrics.render import render_chunks
from driftgauge.monitor.problems import Problems
from driftgauge.notifications.notifier import Notifier, Terms
from driftgauge.notifications.options import options_of
from driftgauge.notifications.planner import Pace
from driftgauge.notifications.rules import Rules
from driftgauge.settings.options import Settings

PROBLEM: Final = "notifications"


def compose_notifications(settings: Settings, monitoring: Monitoring, clock: Callable[[], float]) -> Notifier:
    """Return what notifies the receivers of the settings. SettingsError or NotificationError."""
    problems = Problems(clock)

    async def pages() -> Iterable[str]:
        facts, server = await monitoring.facts()
        pieces, _ = render_chunks("", facts, server, monitoring.exposed)
        return (piece.decode() for piece in pieces)

    def record(error: BaseException | None) -> None:
        if error is not None:
            problems.record(PROBLEM, error)

    options = options_of(settings)
    terms = Terms(
        interval_seconds=settings.notify_interval_seconds,
        hold_seconds=settings.notify_hold_seconds,
        pace=Pace(settings.notify_wait_seconds, settings.notify_group_seconds),
        external_url=options.base_url,
        has_dashboards=settings.grafana_url is not None,
        labels={"job": options.job, "instance": urlsplit(options.base_url).netloc},
    )
    notifier = Notifier(settings.notify, Rules.of(options), terms, settings.state_folder, pages, clock, record)
    monitoring.notified = notifier
    return notifier
