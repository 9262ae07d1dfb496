"""Numeric columns of a database in this process: their rows come here and are counted, which is faster than there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import IntArray
from driftgauge.drift.profile.build import ProfileBuilder
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.engines.columns import as_number
from driftgauge.engines.engine import ROWS_AT_ONCE, EngineTable

_ROWS_AT_ONCE: Final = 131_072
_FEW_GROUPS: Final = 100
_CELLS_AT_ONCE: Final = 16_777_216
"""Of parts that hold rows of many groups: the larger a part, the more rows of a group are counted at once."""
Group = tuple[int, int]
"""A period and an hour of the day; 0 where they are not told apart."""


def profiles_of_numbers(
    source: EngineTable, baseline: Baseline, keys: Mapping[str, Any], groups: int
) -> dict[Group, Profile]:
    """Return the profile of the numeric columns in each group.

    `keys` are the expressions of period and hour, `groups` how many groups they give.
    """
    columns = [replace(own, by_hour={}) for own in baseline.columns if own.kind == "numeric"]
    if not columns:
        return {}
    counted = replace(baseline, columns=tuple(columns))
    values = {f"v{index}": as_number(source.table, own.name) for index, own in enumerate(columns)}
    builders: dict[Group, ProfileBuilder] = {}
    for batch in source.batches(source.table.select(**values, **keys), _rows_at_once(groups, len(columns))):
        *cells, periods, hours = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
        rows = np.stack(cells).astype(np.float64, copy=False).T
        for group, own in _groups(periods.astype(np.int64), hours.astype(np.int64)):
            builder = builders.setdefault(group, ProfileBuilder(counted, ""))
            builder.add(rows if own is None else rows[own])
    return {group: builder.profile() for group, builder in builders.items()}


def _rows_at_once(groups: int, columns: int) -> int:
    """Return the rows of a part: more if there are many groups, which may come in any order."""
    most = ROWS_AT_ONCE if groups > _FEW_GROUPS else _ROWS_AT_ONCE
    return max(_ROWS_AT_ONCE, min(most, _CELLS_AT_ONCE // columns))


def _groups(periods: IntArray, hours: IntArray) -> Iterator[tuple[Group, IntArray | None]]:
    """Yield the groups and the places of their rows, None for all of them."""
    keys = periods * HOURS + hours
    if keys.size and (keys == keys[0]).all():
        yield (int(periods[0]), int(hours[0])), None
        return
    order = np.argsort(keys, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        if places.size:
            yield (int(periods[places[0]]), int(hours[places[0]])), places
