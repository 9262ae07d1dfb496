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
from driftgauge.notifications.store import NotificationError, NotificationStore
from driftgauge.settings.options import Settings

PROBLEM: Final = "notifications"


def compose_notifications(settings: Settings, monitoring: Monitoring, clock: Callable[[], float]) -> Notifier:
    """Return what notifies the receivers of the settings. SettingsError for options that rules cannot have.

    Where the database cannot be used, messages are kept in memory: predictions do not depend on them.
    """
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
    folder = settings.state_folder
    try:
        store = NotificationStore.of(folder)
    except NotificationError as error:
        monitoring.service.problems.record_lasting(PROBLEM, f"{error}. Until then a restart sends alerts again")
        store = NotificationStore.in_memory()
    notifier = Notifier(settings.notify, Rules.of(options), terms, folder, store, pages, clock, record)
    monitoring.notified = notifier
    return notifier
