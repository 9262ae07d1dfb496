"""A cohort as bytes: its numbers in one array, compressed."""

from __future__ import annotations

import json
import zlib
from hashlib import blake2b
from typing import Final

import numpy as np

from driftgauge.drift.performance.cohort import Cohort, empty_cohort
from driftgauge.drift.performance.counts import CountLayout
from driftgauge.drift.performance.outcomes import parts_json, parts_of

_VERSION: Final = 1
_LEVEL: Final = 1
_NUMBER: Final = np.dtype("<f8")


def layout_digest(layout: CountLayout, label_bins: int) -> str:
    """Return a hash of how rows are counted; cohorts of another one cannot be used."""
    return blake2b(repr((_VERSION, layout, label_bins)).encode(), digest_size=8).hexdigest()


def cohort_bytes(cohort: Cohort) -> bytes:
    """Return a cohort as bytes."""
    head = {
        "layout": layout_digest(cohort.counts.layout, len(cohort.labels)),
        "start": cohort.start,
        "end": cohort.end,
        "predicted": cohort.predicted,
        "lag_seconds": cohort.lag_seconds,
        "segments": list(cohort.segments),
        **({"outcomes": parts_json(cohort.outcomes)} if cohort.outcomes else {}),
    }
    numbers = [cohort.labels, cohort.counts.flat(), *(own.flat() for own in cohort.segments.values())]
    text = json.dumps(head, separators=(",", ":")).encode()
    return zlib.compress(text + b"\n" + np.concatenate(numbers).astype(_NUMBER).tobytes(), _LEVEL)


def cohort_of(content: bytes, layout: CountLayout, label_bins: int) -> Cohort:
    """Return the cohort that `cohort_bytes` wrote; ValueError if it is damaged or of another layout."""
    try:
        text, _, numbers = zlib.decompress(content).partition(b"\n")
        head = json.loads(text)
    except (zlib.error, ValueError) as error:
        raise ValueError(f"a cohort is damaged: {error}") from error
    if head["layout"] != layout_digest(layout, label_bins):
        raise ValueError("a cohort was counted in another way")
    empty = empty_cohort(layout, label_bins, head["start"], head["end"])
    names = [(feature, name) for feature, name in head["segments"]]
    width = len(empty.counts.flat())
    values = np.frombuffer(numbers, _NUMBER).astype(np.float64)
    if len(values) != label_bins + width * (1 + len(names)):
        raise ValueError("a cohort is damaged: it has another number of numbers")
    rows = values[label_bins:].reshape(1 + len(names), width)
    return Cohort(
        head["start"],
        head["end"],
        head["predicted"],
        head["lag_seconds"],
        empty.counts.like(rows[0]),
        values[:label_bins],
        {segment: empty.counts.like(row) for segment, row in zip(names, rows[1:], strict=True)},
        parts_of(head.get("outcomes", [])),
    )
