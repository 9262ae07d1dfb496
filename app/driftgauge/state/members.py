"""Counts of each worker of a model, and the last known ones where they cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from driftgauge.drift.bins import IntArray
from driftgauge.state.memory import Retired
from driftgauge.state.versions import Arrays


@dataclass(frozen=True)
class Member:
    """What one slot has counted, whether its worker runs or not; `number` is None for slots that are no more."""

    number: int | None
    lives: bool
    counted: Arrays
    bin_rows: IntArray
    """Rows in each bin since the state began, shape [columns, K]."""


@dataclass(frozen=True)
class Sums:
    """What slots have counted together."""

    counted: Arrays
    """By series."""
    bin_rows: IntArray
    """Rows in each bin, shape [columns, K]."""


def added(members: Sequence[Member]) -> Sums:
    """Return what slots have counted together."""
    names = members[0].counted.keys() - {"process", "rows"}
    counted = {name: reduce(add, [own.counted[name] for own in members]) for name in names}
    return Sums(counted, np.add.reduce([own.bin_rows for own in members]))


class Known:
    """What was read last of the slots of others."""

    def __init__(self) -> None:
        self._kept: Mapping[int | None, Member] = {}
        self._retired: Retired | None = None

    @property
    def others(self) -> Sequence[Member]:
        """All of it."""
        return list(self._kept.values())

    def completed(
        self, found: Mapping[int | None, Member], retired: Retired | None, *, own: int, left_out: Collection[int | None]
    ) -> list[Member]:
        """Return what was read now, by slots, and what was read last of slots that cannot be: so no sum falls.

        A slot whose file is gone was retired if the totals have changed since. `own` is this worker's slot, and
        `left_out` are those that could not be read.
        """
        same = retired is None or retired is self._retired
        gone = [number for number in self._kept if number not in found and (same or number in left_out)]
        members = {**found, **{number: replace(self._kept[number], lives=False) for number in gone}}
        self._retired = retired or self._retired
        self._kept = {number: member for number, member in members.items() if number != own}
        return [members[number] for number in sorted(members, key=lambda number: (number is None, number))]
