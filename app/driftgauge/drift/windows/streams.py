"""Rows of several streams in one order: by arrival, those of one stream in their own order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import BoolArray, CodeArray, FloatArray
from driftgauge.drift.windows.window import Rows


@dataclass(frozen=True)
class StreamRows:
    """Consecutive rows of a stream; the values of a row that is not valid are missing."""

    values: FloatArray
    """Shape [n, columns]."""
    arrival: FloatArray
    """Seconds since 1970, shape [n], like `at`."""
    at: FloatArray
    valid: BoolArray
    """Shape [n]."""


class CodeCache:
    """The bin codes of the newest rows of each stream; what is missing is binned again."""

    def __init__(self, binner: Binner, rows: int) -> None:
        """Keep the codes of this many rows of each stream."""
        self._binner = binner
        self._rows = rows
        self._kept: dict[int, tuple[int, CodeArray]] = {}

    def codes(self, key: int, begin: int, values: FloatArray, *, keep: bool = True) -> CodeArray:
        """Return the codes of a stream's rows from `begin` on, which have these values.

        They are kept on request: a row that is not valid now may be so later.
        """
        if not keep:
            return self._binner.codes(values)
        first, kept = self._kept.get(key) or (begin, np.empty(values.shape, np.uint8)[:0])
        last, end = first + len(kept), begin + len(values)
        low, high = max(first, begin), min(last, end)
        if low < high:
            before, after = (self._binner.codes(part) for part in (values[: low - begin], values[high - begin :]))
            codes = np.concatenate([before, kept[low - first : high - first], after])
        else:
            codes = self._binner.codes(values)
        if end > last:
            kept = np.concatenate([kept, codes[last - begin :]]) if first <= begin <= last else codes
            self._kept[key] = end - len(kept[-self._rows :]), kept[-self._rows :]
        return codes

    def keep_only(self, keys: Mapping[int, object]) -> None:
        """Forget the streams that are gone."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in keys}


def merged(parts: Sequence[StreamRows], codes: Sequence[CodeArray]) -> Rows:
    """Return the valid rows of streams in one order."""
    if len(parts) == 1 and parts[0].valid.all():
        return Rows(parts[0].values, codes[0], parts[0].at)
    order = np.flatnonzero(np.concatenate([part.valid for part in parts]))
    if len(parts) > 1:
        arrival = np.concatenate([np.maximum.accumulate(part.arrival) for part in parts])
        order = order[np.argsort(arrival[order], kind="stable")]
    values, at = np.concatenate([part.values for part in parts]), np.concatenate([part.at for part in parts])
    return Rows(values[order], np.concatenate(codes)[order], at[order])


def newest_of(arrivals: Sequence[FloatArray], rows: int) -> list[int]:
    """Return how many of the newest `rows` rows belong to each stream; the arrivals of each ascend."""
    if len(arrivals) == 1:
        return [min(rows, len(arrivals[0]))]
    stream = np.repeat(np.arange(len(arrivals)), [len(own) for own in arrivals])
    order = np.argsort(np.concatenate(arrivals), kind="stable")
    newest = stream[order[max(0, len(order) - rows) :]]
    return [int((newest == own).sum()) for own in range(len(arrivals))]
