"""What the operator decides: which windows, how large is large, and how often evidence may be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.windows.time_spans import DAY_SECONDS, TimeSpan


@dataclass(frozen=True)
class Policy:
    """What the operator decides: which windows, and how large is large."""

    windows: tuple[int, ...] = (1_000, 10_000)
    """Rows of the count windows, ascending; the last one is the main window."""
    time_windows: tuple[TimeSpan, ...] = (TimeSpan("2m", 120), TimeSpan("1h", 3_600), TimeSpan("24h", 86_400))
    """How far the time windows reach back; they are reported, verdicts rest on count windows."""
    max_age_seconds: float = DAY_SECONDS
    """Older rows are no part of a count window."""
    psi_thresholds: tuple[float, float] = (0.1, 0.2)
    """`psi_debiased` from which drift is a warning, and critical."""
    feature_psi_thresholds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The same for single columns, by name."""
    budget: Budget = field(default_factory=Budget)
    """How often evidence may raise a false alarm."""
    missing_thresholds: tuple[float, float] = (0.05, 0.1)
    """Missing ratio above the reference's own that is a warning, and critical."""
    unseen_thresholds: tuple[float, float] = (0.01, 0.05)
    """Unseen ratio above the one to expect that is a warning, and critical."""
