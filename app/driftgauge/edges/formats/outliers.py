"""The share of outliers as JSON."""

from __future__ import annotations

from typing import Any

from driftgauge.drift.novelty.share import OutlierShare


def outliers_json(share: OutlierShare) -> dict[str, Any]:
    """Return the share of outliers; NaN stands for what is not known."""
    return {
        "ratio": share.ratio,
        "window": share.window,
        "rows": share.rows,
        "reference_ratio": share.reference,
        "threshold": share.threshold,
        "is_high": share.is_high,
        "windows": dict(share.ratios),
    }
