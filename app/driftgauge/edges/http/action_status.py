"""What a server knows of the model that an alert is about, for conditions and bodies of actions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from driftgauge.actions.action import Alert
from driftgauge.actions.executors.confirmation import SEVERITIES, ModelStatus
from driftgauge.actions.executors.values import VERSION_LABEL
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.formats.diagnosis import diagnosis_json
from driftgauge.edges.http.diagnosis_facts import diagnosis_of
from driftgauge.edges.http.event_loop import on_loop
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.monitoring import Monitoring

WAIT_SECONDS: Final = 10.0
"""Longest time for an evaluation."""
CAUSE_KEYS: Final = ("kind", "title", "columns", "why", "since", "score", "importance", "evidence")
"""What is sent of a cause."""


class AlertedModels:
    """Looks at the monitoring of models on the event loop; called in other threads."""

    def __init__(self, monitoring: Monitoring, loop: asyncio.AbstractEventLoop) -> None:
        """Take the monitoring of a server, and its event loop."""
        self._monitoring: Final = monitoring
        self._loop: Final = loop

    def status(self, alert: Alert) -> ModelStatus | None:
        """Return the status of the version that an alert is about, by default the live one; None for an unknown one."""
        found = self._found(alert)
        return None if found is None else on_loop(self._loop, _status(found), WAIT_SECONDS)

    def first_cause(self, alert: Alert) -> Mapping[str, Any] | None:
        """Return the first cause of the diagnosis of that version; None where there is none."""
        found = self._found(alert)
        if found is None or found.evaluator is None:
            return None
        diagnosis = on_loop(self._loop, diagnosis_of(self._monitoring, found), WAIT_SECONDS).diagnosis
        causes = diagnosis_json(diagnosis, found.model_name, found.model_version)["causes"]
        if not causes:
            return None
        cause: Mapping[str, Any] = orjson.loads(orjson.dumps(causes[0], option=orjson.OPT_SERIALIZE_NUMPY))  # no NaN
        return {key: cause[key] for key in CAUSE_KEYS}

    def _found(self, alert: Alert) -> ModelMonitoring | None:
        models, version = self._monitoring.models, alert.labels.get(VERSION_LABEL)
        return models.find(alert.model, version) if version else models.live(alert.model)


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
