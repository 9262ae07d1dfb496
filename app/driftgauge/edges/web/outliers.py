"""What the page says of the share of outliers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from driftgauge.drift.novelty.share import OutlierShare


@dataclass(frozen=True)
class OutliersView:
    """The section on outliers."""

    title: str
    colour: str
    note: str


def outliers_view(share: OutlierShare | None) -> OutliersView | None:
    """Return what is said of outliers; None if they are not watched."""
    if share is None:
        return None
    known = f"The reference has {_percent(share.reference)}, and the limit is {_percent(share.threshold)}."
    if math.isnan(share.ratio):
        return OutliersView("No rows", "normal", known)
    return OutliersView(
        title="Many" if share.is_high else "Within the limit",
        colour="warning" if share.is_high else "normal",
        note=f"{_percent(share.ratio)} of the newest {share.rows:,} rows are unlike the reference. {known}",
    )


def _percent(ratio: float) -> str:
    return f"{100.0 * ratio:.3g} %"
