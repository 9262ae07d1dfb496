"""What a server sends to a collector, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TelemetryOptions:
    """Where metrics and traces go; see the settings `otlp_…` of these names."""

    endpoint: str
    protocol: str = "http"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers of each request; empty for those of the environment."""
    interval_seconds: float = 60.0
    timeout_seconds: float = 10.0
    trace_ratio: float = 0.01
    max_queued_spans: int = 2_048
    lost_threshold_ratio: float = 0.05
