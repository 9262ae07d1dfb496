"""What all workers have counted: each as it was read last, and those whose logs are folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from driftgauge.common.layout import WordArray
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.root import FOLDED, Root
from driftgauge.state.shape import StateShape
from driftgauge.state.slot import Slot
from driftgauge.state.snapshot import SlotTotals


class Totals:
    """The totals of other slots, which never fall: one that cannot be read counts as before, until it is folded."""

    def __init__(self, shape: StateShape, root: Root) -> None:
        self._shape = shape
        self._known: tuple[Mapping[int, SlotTotals], WordArray] = {}, root.carried
        """By key, and the carried counters read with them."""

    def read(self, others: Sequence[Slot], root: Root) -> None:
        """Read the totals of other slots, none of which is folded in this root."""
        known = {key: replace(own, is_running=False) for key, own in self._known[0].items()}
        for slot in others:
            with suppress(Damaged):
                rows = slot.log.rows_after(root.positions.get(slot.key, 0))
                known[slot.key] = SlotTotals(slot.number, slot.is_running, slot.log.counted(), rows)
        self._known = {key: own for key, own in known.items() if root.positions.get(key) != FOLDED}, root.carried

    def with_own(self, own: SlotTotals) -> list[SlotTotals]:
        """Return the totals of this worker and of all others, by number, and those of folded slots."""
        known, words = self._known
        return [*sorted([own, *known.values()], key=lambda member: member.number or 0), self.folded(words)]

    def folded(self, words: WordArray) -> SlotTotals:
        """Return the totals of slots that are folded, from the carried counters of a root."""
        counted = self._shape.counted.arrays(words)
        return SlotTotals(None, False, counted, int(counted["rows"][0]))
