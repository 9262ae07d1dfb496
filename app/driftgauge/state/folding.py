"""Folding: the logs of ended workers become carried counters, and their files are deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from driftgauge.state.catch_up import CatchUp
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.root import FOLDED
from driftgauge.state.slot import Slot
from driftgauge.state.slots import Slots


def fold(
    slots: Slots,
    checkpoint: Checkpoint,
    catch_up: CatchUp,
    oldest: float,
    note: Callable[[str], None],
    among: Collection[int] | None = None,
) -> None:
    """Add logs that no worker holds to the carried counters, and delete them. The caller holds the lock.

    That is once they are read to the end and their newest row arrived before `oldest`, so it is in no window. `note`
    takes what was found damaged. `among` are the keys of the only logs that may be folded.
    """

    def carry(slot: Slot) -> bool:
        """Carry the counters and rows of a log; returns whether its file is not needed any more."""
        root = checkpoint.read()
        position = root.positions.get(slot.key, 0)
        if position != FOLDED and (slot.log.uncounted or not slot.log.is_complete(position)):
            slots.complete(slot)
        after, said = catch_up.folded(root, slot.key, slot.log, oldest)
        note(f"{slot.number}.log {said}" if said else "")
        if after is not None and after is not root:
            checkpoint.commit(after, {})
        return after is not None

    for slot in slots.others():
        if among is not None and slot.key not in among:
            continue
        with suppress(Damaged, OSError):
            slots.remove(slot, lambda slot=slot: carry(slot))  # type: ignore[misc]
