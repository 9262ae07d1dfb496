"""Writes the families of the server itself: its processes, requests, limits, and what it sends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain

from driftgauge.metrics.action_series import action_samples
from driftgauge.metrics.facts import ServerFacts, TelemetryFacts
from driftgauge.metrics.family_text import family, stored
from driftgauge.metrics.gpu import GPU, GPU_GAUGES, GPU_INFO, GpuReading
from driftgauge.metrics.series import AVAILABLE, MODEL_LABELS
from driftgauge.metrics.server_series import (
    ACTION_LAST,
    ACTIONS,
    BUDGET,
    CALLER_LIMITS,
    CPU,
    HTTP_DURATION,
    LOG_GAUGES,
    NOTIFICATIONS,
    PRICE,
    PROCESS,
    SLOT,
    TELEMETRY,
    TELEMETRY_LIMIT,
)
from driftgauge.metrics.text_format import labelled, sample


def server_families(server: ServerFacts, openmetrics: bool) -> Iterator[str]:
    """Yield the server's own families."""
    for index, process in enumerate(PROCESS):
        numbers = [(w.slot, float(w.process[index])) for w in server.workers if w.is_running or index == CPU]
        known = [sample(process.name, labelled({SLOT: slot}), n) for slot, n in numbers if not math.isnan(n)]
        yield from family(process, openmetrics, [known] if known else [])
    telemetry = server.telemetry
    traced = telemetry.exemplars if telemetry is not None and openmetrics else {}
    for spec in server.series:
        exemplars = traced if spec.name == HTTP_DURATION else {}
        yield from family(spec, openmetrics, [stored(spec, {}, server.arrays, exemplars)])
    yield from family(BUDGET, openmetrics, [[sample(BUDGET.name, "", server.error_budget_ratio)]])
    if server.price is not None:
        currency, price = server.price
        yield from family(PRICE, openmetrics, [[sample(PRICE.name, labelled({"currency": currency}), price)]])
    listed = [
        sample(AVAILABLE.name, labelled(dict(zip(MODEL_LABELS, model, strict=True))), float(own))
        for model, own in server.available.items()
    ]
    yield from family(AVAILABLE, openmetrics, [listed] if listed else [])
    notified = [
        sample(NOTIFICATIONS.name, labelled(dict(zip(NOTIFICATIONS.labels, own, strict=True))), count)
        for own, count in server.notifications.items()
    ]
    yield from family(NOTIFICATIONS, openmetrics, [notified] if notified else [])
    yield from _telemetry_families(telemetry, openmetrics)
    stated = [
        *zip(CALLER_LIMITS, server.caller_limits, strict=True),
        *zip(LOG_GAUGES, server.prediction_log, strict=True),
    ]
    for gauge, number in stated:
        yield from family(gauge, openmetrics, [] if number is None else [[sample(gauge.name, "", number)]])
    yield from _gpu_families(server.gpus, openmetrics)
    yield from chain.from_iterable(
        family(spec, openmetrics, [action_samples(spec, server.actions)] if server.actions else [])
        for spec in (ACTIONS, ACTION_LAST)
    )


def _telemetry_families(telemetry: TelemetryFacts | None, openmetrics: bool) -> Iterator[str]:
    """Yield what became of metrics and spans for a collector; nothing without one."""
    if telemetry is None:
        return
    labels = {own: labelled(dict(zip(TELEMETRY.labels, own, strict=True))) for own in telemetry.items}
    counted = [sample(TELEMETRY.name, labels[own], count) for own, count in telemetry.items.items()]
    yield from family(TELEMETRY, openmetrics, [counted])
    limit = sample(TELEMETRY_LIMIT.name, "", telemetry.lost_threshold_ratio)
    yield from family(TELEMETRY_LIMIT, openmetrics, [[limit]])


def _gpu_families(gpus: Sequence[GpuReading], openmetrics: bool) -> Iterator[str]:
    """Yield the families of the GPUs; none without any."""
    known = [
        sample(GPU_INFO.name, labelled({GPU: str(own.index), "gpu_name": own.name, "uuid": own.uuid}), 1.0)
        for own in gpus
    ]
    yield from family(GPU_INFO, openmetrics, [known] if known else [])
    for gauge, value in GPU_GAUGES:
        numbers = [(own.index, value(own)) for own in gpus]
        listed = [
            sample(gauge.name, labelled({GPU: str(index)}), number)
            for index, number in numbers
            if not math.isnan(number)
        ]
        yield from family(gauge, openmetrics, [listed] if listed else [])
