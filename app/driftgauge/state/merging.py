"""The newest rows of several states by arrival, in one order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.windows.window import Rows
from driftgauge.state.reader import StateReader
from driftgauge.state.shape import Taken

Seen = tuple[StateReader, Taken]
"""A state, and what was taken of it."""


def newest_rows(seen: Sequence[Seen], wanted: int) -> Rows | None:
    """Return copies of the newest rows of all states, or of as many as there are; None if some were overwritten."""
    if len(seen) == 1:
        ((state, taken),) = seen
        rows = state.rows_of(taken, wanted)
        return rows if state.is_still(taken, len(rows)) else None
    places = _places([state.arrivals(taken, wanted) for state, taken in seen], wanted)
    parts = [state.rows_of(taken, len(place)) for (state, taken), place in zip(seen, places, strict=True)]
    rows = _merged(parts, places)
    return rows if all(state.is_still(taken, state.ordered_rows) for state, taken in seen) else None


def _places(arrivals: Sequence[FloatArray], wanted: int) -> list[IntArray]:
    """Return where the newest rows of each state, whose times ascend, lie among the newest of all."""
    whose = np.repeat(np.arange(len(arrivals)), [len(own) for own in arrivals])
    order = np.argsort(np.concatenate(arrivals), kind="stable")
    newest = whose[order[max(0, len(order) - wanted) :]]
    return [np.flatnonzero(newest == own) for own in range(len(arrivals))]


def _merged(parts: Sequence[Rows], places: Sequence[IntArray]) -> Rows:
    """Return rows of several states, each where it belongs."""
    rows, columns = sum(map(len, parts)), parts[0].values.shape[1]
    merged = Rows(np.empty((rows, columns)), np.empty((rows, columns), np.uint8), np.empty(rows))
    for part, place in zip(parts, places, strict=True):
        merged.values[place] = part.values
        merged.codes[place] = part.codes
        merged.at[place] = part.at
    return merged
