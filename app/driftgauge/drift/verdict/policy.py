"""Windows, thresholds and budgets, as the operator sets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.windows.time_spans import DAY_SECONDS, TimeSpan


@dataclass(frozen=True)
class Policy:
    """What the operator decides, with its defaults."""

    windows: tuple[int, ...] = (1_000, 10_000)
    """Sizes of the sliding windows in rows, ascending; the last one is the main window."""
    time_windows: tuple[TimeSpan, ...] = (TimeSpan("2m", 120), TimeSpan("1h", 3_600), TimeSpan("24h", 86_400))
    """The time windows; they are for inspection, verdicts rest on sliding windows."""
    max_age_seconds: float = DAY_SECONDS
    """Older rows are dropped from the sliding windows."""
    psi_thresholds: tuple[float, float] = (0.1, 0.2)
    """`psi_debiased` from which a significant change is drift: warning, critical."""
    feature_psi_thresholds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The same for single columns, by name."""
    budget: Budget = field(default_factory=Budget)
    """How often evidence may raise a false alarm."""
    missing_thresholds: tuple[float, float] = (0.05, 0.1)
    """Increase of the missing ratio over the reference: warning, critical."""
    unseen_thresholds: tuple[float, float] = (0.01, 0.05)
    """Unseen ratio above the expected one: warning, critical."""
    alert_on_small: bool = False
    """Whether a significant but small change has severity warning instead of info."""
    learning_seconds: float = 14 * DAY_SECONDS
    """Time for which a monitor learns how live data varies, if the reference has no times; 0 for none."""

    def learning_until(self, first_row: float | None, *, has_times: bool) -> float | None:
        """Return the end of the learning time, seconds since 1970; None if there is no learning time.

        `first_row` is the time of the first row that was monitored, None before it; `has_times` says whether the
        reference has times, which make learning unnecessary.
        """
        if first_row is None or has_times or self.learning_seconds == 0:
            return None
        return first_row + self.learning_seconds
