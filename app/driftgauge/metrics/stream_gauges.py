"""Numbers of a consumer of messages: what it reads, how far it is behind, and what disturbs it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from driftgauge.metrics.facts import MonitorFacts, StreamFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.series import Kind, Labels


@dataclass(frozen=True)
class StreamGauge(MonitorGauge):
    """A gauge of a consumer; absent without one."""

    of_monitoring: bool = False

    def applies_to(self, facts: MonitorFacts) -> bool:
        """Say whether a monitor has it."""
        return facts.stream is not None


@dataclass(frozen=True)
class StreamCounter(StreamGauge):
    """A counter of a consumer, from 0 in each process."""

    type: ClassVar[Kind] = "counter"


def _numbers(value: Callable[[StreamFacts], Numbers]) -> Callable[[MonitorFacts], Numbers]:
    return lambda facts: value(facts.stream or StreamFacts())


_NONE: Final[Labels] = ()
STREAM_GAUGES: Final[tuple[StreamGauge, ...]] = (
    StreamCounter(
        "model_ingest_messages_total",
        "Messages that this process has read from Kafka.",
        _NONE,
        _numbers(lambda stream: stream.messages),
    ),
    StreamCounter(
        "model_ingest_rebalances_total",
        "How often Kafka has assigned partitions to this process.",
        _NONE,
        _numbers(lambda stream: stream.rebalances),
    ),
    StreamCounter(
        "model_ingest_errors_total",
        "Errors of Kafka's client and brokers in this process.",
        _NONE,
        _numbers(lambda stream: stream.errors),
    ),
    StreamCounter(
        "model_ingest_pauses_total",
        "How often this process paused its partitions because its log had no room.",
        _NONE,
        _numbers(lambda stream: stream.pauses),
    ),
    StreamCounter(
        "model_ingest_recovered_rows_total",
        "Rows that this process has counted in place of one that ended: that one had claimed their messages.",
        _NONE,
        _numbers(lambda stream: stream.recovered),
    ),
    StreamCounter(
        "model_ingest_lost_messages_total",
        "Messages that Kafka had deleted when this process came to them, before they were counted.",
        _NONE,
        _numbers(lambda stream: stream.lost),
    ),
    StreamGauge(
        "model_ingest_lost_timestamp_seconds",
        "When this process came last to messages that Kafka had deleted uncounted; absent if it has not.",
        _NONE,
        _numbers(lambda stream: math.nan if stream.lost_at is None else stream.lost_at),
    ),
    StreamGauge(
        "model_ingest_partitions",
        "Partitions that this process reads.",
        _NONE,
        _numbers(lambda stream: stream.partitions),
    ),
    StreamGauge(
        "model_ingest_lag_messages",
        "Messages in the partitions of this process that are not counted yet.",
        _NONE,
        _numbers(lambda stream: stream.lag),
    ),
    StreamGauge(
        "model_ingest_lag_threshold_messages",
        "Lag of all processes of a model together above which `ModelIngestLag` is raised.",
        ("severity",),
        _numbers(lambda stream: np.array(stream.limits)),
    ),
)
