"""What the benchmark of detection found, as numbers and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from driftgauge.drift.bins import FloatArray
from scipy.stats import chi2


@dataclass(frozen=True)
class Alarms:
    """Columns raised while nothing drifted."""

    alarms: int
    rows: int
    streams: int
    streams_with: int
    """Streams that had any: one whose reference lies badly may have many."""

    @property
    def per_million(self) -> float:
        """Alarms in 1e6 rows."""
        return 1e6 * self.alarms / self.rows

    @property
    def limits(self) -> tuple[float, float]:
        """The 95 % Poisson interval, in 1e6 rows; of no alarm at all the upper limit of 95 %."""
        if not self.alarms:
            return 0.0, 3e6 / self.rows
        low, high = chi2.ppf(0.025, 2 * self.alarms) / 2.0, chi2.ppf(0.975, 2 * self.alarms + 2) / 2.0
        return 1e6 * float(low) / self.rows, 1e6 * float(high) / self.rows


@dataclass(frozen=True)
class Delays:
    """Rows from a change to the end of the block at which it was detected."""

    trials: int
    found: int
    median: float | None
    """Of all trials; None if fewer than half were detected."""
    late: float | None
    """The 90th percentile, None likewise."""

    @classmethod
    def of(cls, rows: FloatArray) -> Delays:
        """Summarise delays, infinite where nothing was detected; shape [trials]."""
        middle, late = np.quantile(rows, [0.5, 0.9], method="inverted_cdf").tolist()
        return cls(
            trials=len(rows),
            found=int(np.isfinite(rows).sum()),
            median=middle if np.isfinite(middle) else None,
            late=late if np.isfinite(late) else None,
        )


@dataclass(frozen=True)
class Cost:
    """CPU time of a row, in µs."""

    evidence: float
    """Of evidence, several blocks weighed at once."""
    evidence_by_block: float
    """The same, each block by itself."""
    binning: float
    """From values to counts in blocks."""


@dataclass(frozen=True)
class Contest:
    """What a rival did."""

    alarms: Alarms
    delays: dict[str, Delays] = field(default_factory=dict)
    """By shift; without those that it cannot see by construction."""


@dataclass
class Found:
    """All parts, each empty until it is run."""

    setting: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, dict[str, list[Alarms]]] = field(default_factory=dict)
    """By source and rows of the reference, for each tolerance."""
    delays: dict[str, dict[str, list[Delays]]] = field(default_factory=dict)
    """By shift and rows of the reference, for each tolerance."""
    rivals: dict[str, Contest] = field(default_factory=dict)
    missing_rivals: dict[str, str] = field(default_factory=dict)
    cost: Cost | None = None

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Found:
        """Read what `save` wrote."""
        content = json.loads(path.read_text())
        return cls(
            setting=content["setting"],
            alarms={n: {m: [Alarms(**a) for a in own] for m, own in by.items()} for n, by in content["alarms"].items()},
            delays={n: {m: [Delays(**d) for d in own] for m, own in by.items()} for n, by in content["delays"].items()},
            rivals={name: _contest(own) for name, own in content["rivals"].items()},
            missing_rivals=content["missing_rivals"],
            cost=Cost(**content["cost"]) if content["cost"] else None,
        )


def _contest(content: dict[str, dict[str, object]]) -> Contest:
    alarms: dict[str, int] = content["alarms"]  # type: ignore[assignment]
    delays: dict[str, dict[str, int]] = content["delays"]  # type: ignore[assignment]
    return Contest(Alarms(**alarms), {shift: Delays(**own) for shift, own in delays.items()})
