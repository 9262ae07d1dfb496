"""Lists every series that is declared, for the docs and for tests of rules and dashboards."""

from __future__ import annotations

from driftgauge.metrics.gauges import REPORT_GAUGES, SHARE_GAUGES, ReportGauge, ShareGauge
from driftgauge.metrics.gpu import GPU_GAUGES, GPU_INFO
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.monitor_gauges import MONITOR_GAUGES
from driftgauge.metrics.performance_gauges import PERFORMANCE_GAUGES, PerformanceGauge
from driftgauge.metrics.quality_gauges import QUALITY_GAUGES, QualityGauge
from driftgauge.metrics.series import AVAILABLE, BINS, INFO, MODEL_LABELS, REFERENCE_RATIO, Declared, monitor_series
from driftgauge.metrics.server_series import (
    ACTION_LAST,
    ACTIONS,
    BUDGET,
    CALLER_LIMITS,
    LOG_GAUGES,
    NOTIFICATIONS,
    PRICE,
    PROCESS,
    TELEMETRY,
    TELEMETRY_LIMIT,
    server_series,
)


def catalogue() -> list[tuple[str, str, str, str]]:
    """Return (name, type, labels, help) of every series but prometheus_client's own."""
    of_model: tuple[Declared | ReportGauge | ShareGauge | PerformanceGauge | QualityGauge | MonitorGauge, ...]
    gauges: tuple[ReportGauge | ShareGauge | PerformanceGauge | QualityGauge | MonitorGauge, ...]
    gauges = (*REPORT_GAUGES, *SHARE_GAUGES, *PERFORMANCE_GAUGES, *QUALITY_GAUGES, *MONITOR_GAUGES)
    of_model = (INFO, AVAILABLE, *monitor_series(), BINS, REFERENCE_RATIO, *gauges)
    listed = [(spec.name, spec.type, (*MODEL_LABELS, *spec.labels), spec.help) for spec in of_model]
    listed += [
        (spec.name, spec.type, spec.labels, spec.help)
        for spec in (
            *server_series(()),
            *PROCESS,
            BUDGET,
            PRICE,
            *CALLER_LIMITS,
            NOTIFICATIONS,
            TELEMETRY,
            TELEMETRY_LIMIT,
            *LOG_GAUGES,
            ACTIONS,
            ACTION_LAST,
            GPU_INFO,
            *(own for own, _ in GPU_GAUGES),
        )
    ]
    return [(name, kind, ", ".join(labels), text) for name, kind, labels, text in sorted(listed)]
