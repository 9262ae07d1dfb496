"""Parts of the facts behind `/metrics` of one model: what its settings, its labels and its ingestion say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from driftgauge.common.layout import Arrays
from driftgauge.ingestion.joins import OpenEvents
from driftgauge.metrics.facts import Exposed, IngestFacts, LabelFacts, Limits
from driftgauge.metrics.series import INGEST_REFUSED, INGESTED
from driftgauge.metrics.server_series import MODEL_QUEUE
from driftgauge.monitor.label_intake import LabelIntake
from driftgauge.settings.options import Settings
from driftgauge.state.seen_records import SeenRecords
from driftgauge.state.snapshot import SlotTotals


def exposed_of(settings: Settings) -> Exposed:
    """Return the part of the drift metrics that `/metrics` lists."""
    return Exposed(settings.metrics_bin_rows, settings.metrics_top_features, settings.exposed_windows)


def limits_of(settings: Settings) -> Limits:
    """Return the thresholds of latency and its rise, of an evaluation's age and of outliers."""
    return Limits(
        latency_seconds=(settings.latency_threshold_warning_seconds, settings.latency_threshold_critical_seconds),
        evaluation_age_seconds=settings.evaluation_stale_seconds,
        outlier_ratio=settings.outlier_threshold_ratio,
        latency_rise=(
            settings.latency_rise_threshold_warning_ratio,
            settings.latency_rise_threshold_critical_ratio,
        ),
    )


def queue_used(members: Sequence[SlotTotals], settings: Settings) -> tuple[float, float]:
    """Return the shares of the requests and of the rows that may wait for the model which do, in all workers."""
    waiting = np.array([own.counted["process"][MODEL_QUEUE] for own in members if own.is_running])
    if not len(waiting):
        return math.nan, math.nan
    requests, rows = (waiting.mean(axis=0) / (settings.max_queued_requests, settings.max_queued_rows)).tolist()
    return requests, rows


def label_facts(labels: LabelIntake | None, settings: Settings) -> LabelFacts | None:
    """Return the facts about labels; None where they are not taken in."""
    if labels is None:
        return None
    known = labels.facts
    return LabelFacts(known.waiting, known.last_received, settings.labels_missing_seconds, labels.outcomes)


def ingest_facts(
    seen: SeenRecords, events: OpenEvents, settings: Settings, arrays: Arrays, now: float, *, is_elsewhere: bool
) -> IngestFacts | None:
    """Return the facts about records from the logs of other servers.

    None for a model that none were sent of, unless another server serves it (`is_elsewhere`).
    """
    last = seen.last_received
    has_counted = any(arrays[counter.name].any() for counter in (INGESTED, INGEST_REFUSED))
    if last is None and not is_elsewhere and not has_counted:
        return None
    return IngestFacts(
        last,
        settings.ingest_stale_seconds,
        settings.ingest_refused_threshold_ratio,
        seen.records,
        events.waiting(now),
    )
