"""What a bundle knows of the truth of its model."""

from __future__ import annotations

from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.report import BundleTruth
from driftgauge.drift.performance.verdict import Held
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.models.bundle import BundleInfo


def truth_of(info: BundleInfo, labels: Baseline | None, held_out: HeldOut | None) -> BundleTruth:
    """Return what live labels and performance are compared with; `labels` is the baseline of the target."""
    known, held = info.performance, None
    if known is not None and known.estimates:
        held = Held(known.rows, {name: Estimate(*own) for name, own in known.estimates.items()}, known.in_sample)
    return BundleTruth(held, labels, None if held_out is None else held_out.errors)
