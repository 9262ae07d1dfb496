"""What a server knows of the model that an alert is about, for the second condition of an action."""

from __future__ import annotations

import asyncio
from typing import Final

from driftgauge.actions.action import Alert
from driftgauge.actions.executors.confirmation import SEVERITIES, ModelStatus
from driftgauge.actions.executors.values import VERSION_LABEL
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.http.event_loop import on_loop
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import Monitoring

WAIT_SECONDS: Final = 10.0
"""Longest time for an evaluation."""


class ModelStatuses:
    """Looks at the monitoring of models on the event loop; called in other threads."""

    def __init__(self, monitoring: Monitoring, loop: asyncio.AbstractEventLoop) -> None:
        """Take the monitoring of a server, and its event loop."""
        self._monitoring: Final = monitoring
        self._loop: Final = loop

    def __call__(self, alert: Alert) -> ModelStatus | None:
        """Return what is known of the version that an alert is about, by default the live one."""
        models, version = self._monitoring.models, alert.labels.get(VERSION_LABEL)
        found = models.find(alert.model, version) if version else models.live(alert.model)
        return None if found is None else on_loop(self._loop, _status(found), WAIT_SECONDS)


async def _status(model: ModelMonitoring) -> ModelStatus:
    report = None if model.evaluator is None else (await model.evaluator.current()).report
    performance = await model.latest_performance()
    return ModelStatus(
        performance=None if performance is None else performance.status.value,
        drift=None if report is None else report.severity,
        prediction_drift=None if report is None else _of_predictions(report),
    )


def _of_predictions(report: DriftReport) -> str | None:
    """Return the highest severity of the columns that are the model's answers."""
    found = [own.severity for own in report.verdicts if own.name in RESERVED]
    return max(found, key=SEVERITIES.index, default=None)
