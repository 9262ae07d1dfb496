"""Progress through a stream of rows: totals of all rows, and the evidence of the blocks that have ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.windows.blocks import CountArray, Ends, Head, cut_blocks, step_rows

_ROWS_AT_ONCE: Final = 4_096
_COUNTS_AT_ONCE: Final = 4_194_304
"""Most counts computed at once: by hour of the day, each row may be a block of its own."""


@dataclass(frozen=True)
class Progress:
    """The state after some rows; its arrays are never written to."""

    head: Head
    """Totals of all rows."""
    weighed: CountArray
    """The rows in each bin up to the last block in the evidence, modulo 2**32, shape [columns, K]."""
    evidence: Evidence

    @classmethod
    def start(cls, binner: Binner, detector: Detector) -> Progress:
        """Return the state before the first row."""
        head = Head.start(binner.columns, binner.width)
        return cls(head, head.total.astype(np.uint32), detector.start())

    def after(self, binner: Binner, detector: Detector, codes: CodeArray, at: FloatArray) -> Progress:
        """Return the state after more rows: codes of shape [n, columns], times of shape [n].

        Rows after the last end of a block are counted but not weighed yet.
        """
        ends, head = cut_blocks(binner, self.head, codes, at, by_hour=detector.by_hour)
        return replace(self, head=head).weighing(detector, ends)

    def weighing(self, detector: Detector, ends: Ends) -> Progress:
        """Return the state with blocks that have ended in the evidence."""
        if len(ends) == 0:
            return self
        evidence = detector.advance(self.evidence, ends.blocks(self.weighed))
        return replace(self, weighed=ends.upto[-1].copy(), evidence=evidence)

    def up_to(self, limit: float) -> Progress:
        """Return the state with no time later than `limit`, after a clock that was ahead."""
        evidence, rate = self.evidence, self.evidence.rate
        since = None if rate.since is None else min(rate.since, limit)
        live = evidence.live and replace(evidence.live, since=np.minimum(evidence.live.since, limit))
        evidence = replace(
            evidence,
            since=np.minimum(evidence.since, limit),
            cleared=np.minimum(evidence.cleared, limit),
            rate=replace(rate, since=since, until=min(rate.until, limit)),
            live=live,
        )
        return replace(self, head=replace(self.head, at=min(self.head.at, limit)), evidence=evidence)


def rows_at_once(binner: Binner, detector: Detector) -> int:
    """Return how many rows to add at once, so that their blocks fit into memory."""
    if not detector.by_hour:
        return _ROWS_AT_ONCE
    blocks = _COUNTS_AT_ONCE // (binner.columns * binner.width)
    return max(step_rows(binner.columns), min(_ROWS_AT_ONCE, blocks))
