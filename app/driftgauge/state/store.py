"""Store: the states of all workers of a model, and what their evaluations share."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Final, TypeVar

import numpy as np

from driftgauge.drift.bins import IntArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.windows.blocks import Blocks
from driftgauge.drift.windows.time_spans import Totals
from driftgauge.drift.windows.window import Rows
from driftgauge.errors import Reason
from driftgauge.state.block_ring import Counted
from driftgauge.state.files import Busy
from driftgauge.state.members import Member, added
from driftgauge.state.memory import Memory, MemoryShape, Remembered, Retired, Settled
from driftgauge.state.merging import newest_rows
from driftgauge.state.own_state import OwnState
from driftgauge.state.shape import Overrun, StateShape
from driftgauge.state.slot import OwnSlot, Slot
from driftgauge.state.state import State
from driftgauge.state.versions import Damaged

LOCK_SECONDS: Final = 5.0
"""How long one evaluation waits for another worker's."""
_TRIES: Final = 8
_MOST_NOTES: Final = 50
_KEYS: Final = 2**62
T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """What a store holds at one moment."""

    rows: Rows
    """The newest, by the clock that was asked for."""
    observed: int
    """Rows appended since the state began."""
    latest_event: float
    """Seconds since 1970; -inf without rows."""
    totals: tuple[Totals, ...]
    """What each time window holds."""


class Store(OwnState):
    """A worker's own state with those of all others, and what their evaluations remember.

    Rows and counters go to the own one. Windows are the newest rows of all by arrival, counts are sums.

    Where a file of this worker's is cut off or overwritten while it serves, it goes on in memory: its counters go
    on, its windows begin anew, and of the others it tells what it knew last. What cannot be read of others is left
    out of windows, and counts as it was read last.
    """

    @classmethod
    def in_memory(cls, shape: StateShape, detector: Detector) -> Store:
        """Return a store of one worker that forgets everything when that ends."""
        memory = MemoryShape(shape.binner.columns, shape.binner.width, detector.bets, slots=1)
        return cls(OwnSlot(0, 0, State(shape), None), Memory(memory, detector))

    @property
    def workers(self) -> int:
        """How many workers use the state."""
        return sum(slot.lives for slot in self._members()[0])

    @property
    def notes(self) -> list[str]:
        """What could not be used as it was when this worker started."""
        recovered = [f"{own.reason}: {own.text}" for own in self.slots.recoveries] if self.slots else []
        return [*recovered, *(f"{Reason.STATE_DAMAGED}: {text}" for text in self.damages)]

    @property
    def detector(self) -> Detector:
        """What weighs the rows."""
        return self._memory.detector

    # ------------------------------------------------------------ all workers

    def _members(self) -> tuple[list[Slot], Retired | None]:
        """Return the slots by number, and the retired totals; no slot is in both."""
        self._require_files()
        self._of_own(State.check)
        slots, totals = self._shared, self._retired
        if slots is None or totals is None:
            if self.slots is not None and self._lost is None:
                self._note("the files are gone: this worker's own rows are in memory alone")
            self.left_out = {}
            return [self.own], None
        try:
            for _ in range(_TRIES):
                retired = totals.read()
                others = [slot for slot in slots.others() if slot.key not in retired.keys]
                if totals.read() is retired:
                    return self._whole(others, slots.left_out), retired
        except (OSError, Damaged) as error:
            self.left_out = {None: f"only this worker's own state can be read: {error}"}
            self._note(*self.left_out.values())
            return [self.own], None
        raise Overrun("slots were retired time and again")

    def _whole(self, others: Sequence[Slot], unopened: Mapping[int, str]) -> list[Slot]:
        """Return this worker's slot and those of others that can be read; what cannot be is noted."""
        members: list[Slot] = [self.own]
        left_out: dict[int | None, str] = dict(unopened.items())
        for slot in others:
            try:
                slot.state.check()
                members.append(slot)
            except Overrun:
                self._note(f"{slot.number}.state is left out: its worker was too fast")
            except Exception as error:  # whatever numbers that are damaged lead to
                left_out[slot.number] = str(error)
        self.left_out = {number: f"{number}.state is left out: {why}" for number, why in left_out.items()}
        self._note(*self.left_out.values())
        return sorted(members, key=lambda slot: slot.number)

    @property
    def rows(self) -> int:
        """Rows that all workers appended since the state began."""
        members, retired = self._members()
        return sum(slot.state.rows for slot in members) + (retired.rows if retired else 0)

    def snapshot(self, now: float, *, rows: int | None = None) -> Snapshot:
        """Return a copy of the newest `rows` rows (all that are held, by default) and the time windows at `now`.

        By the clock of events the time windows end with the latest one, `now` or not. Overrun if other
        workers write too fast.
        """
        wanted = self.window_rows if rows is None else min(rows, self.window_rows)
        for _ in range(_TRIES):
            found = self._snapshot(now, wanted)
            if found is not None:
                return found
        with self.state.held_up():  # writers were faster all along: hold up the one that can be
            for _ in range(_TRIES):
                found = self._snapshot(now, wanted)
                if found is not None:
                    return found
        raise Overrun("other workers wrote faster than their rows could be read")

    def _snapshot(self, now: float, wanted: int) -> Snapshot | None:
        members, retired = self._members()
        seen = [(slot.state, slot.state.take(now)) for slot in members]
        rows = newest_rows(seen, wanted)
        if rows is None:
            return None
        return Snapshot(
            rows=rows,
            observed=sum(taken.observed for _, taken in seen) + (retired.rows if retired else 0),
            latest_event=max(taken.latest_event for _, taken in seen),
            totals=tuple(reduce(add, same) for same in zip(*(taken.totals for _, taken in seen), strict=True)),
        )

    def bin_rows(self) -> IntArray:
        """Return the rows that all workers counted in each bin since the state began, shape [columns, K]."""
        return added(self.counted()).bin_rows

    def counted(self) -> list[Member]:
        """Return what each slot has counted, by their numbers; the sum of it never falls."""
        members, retired = self._members()
        found: dict[int | None, Member] = {}
        for slot in members:
            if slot is self.own:
                found[slot.number] = self._of_own(
                    lambda state: Member(self.own.number, True, state.counted(), state.take().bin_rows)
                )
                continue
            with contextlib.suppress(Damaged, Overrun):
                found[slot.number] = Member(slot.number, slot.lives, slot.state.counted(), slot.state.take().bin_rows)
        if retired:
            found[None] = Member(None, False, self.state.shape.counted.arrays(retired.words), retired.bin_rows)
        return self._last_known.completed(found, retired, own=self.own.number, left_out=self.left_out)

    def alone(self) -> list[Member]:
        """Return this worker's own counters and the last known ones of others, without reading files."""
        own = Member(self.own.number, True, self.state.counted_here(), self.state.bin_rows_here)
        return [*self._last_known.others, own]

    # ------------------------------------------------------------ evaluations

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Allow one evaluation at a time, over all threads and workers.

        Busy if another takes too long, or this worker has left.
        """
        with self._evaluating, contextlib.ExitStack() as stack:
            self._require_files()
            if slots := self._shared:
                stack.enter_context(slots.evaluating().held(LOCK_SECONDS))
            elif not self._apart:
                # Others may still share what was remembered: who has no file there writes nothing of theirs.
                self._memory, self._apart = self._memory.copy(), True
            self._mend()
            if self.state.is_closed:  # an evaluation that waited while the server stopped: the slot is another's by now
                raise Busy("the server has stopped")
            yield

    def mend(self) -> None:
        """Reset the evaluation state if it is damaged."""
        try:
            self.remembered()
        except Damaged:
            with self.evaluating():
                pass

    def _mend(self) -> None:
        """Reset damaged evaluation state. The caller holds the evaluation lock."""
        for kept in (self._memory, self._retired):
            if kept is None:
                continue
            try:
                kept.read()
            except Damaged as error:
                restored = kept.restore()
                self._note(f"{error}; {'put back as it was read last' if restored else 'begun anew'}")

    def evaluated_at(self) -> float:
        """Return when the last report was made by any worker, by the server's clock; -inf if unknown."""
        try:
            return self.remembered().evaluated_at
        except Damaged:  # the next evaluation begins anew, and says so
            return -math.inf

    def remembered(self) -> Remembered:
        """Return what the last evaluation left."""
        self._require_files()
        return self._memory.read()

    def evidence(self) -> Evidence:
        """Return the evidence of the rows weighed so far."""
        return self.remembered().evidence

    @property
    def room(self) -> int:
        """How many rows this worker may append until blocks could be overrun that are not yet weighed."""
        return self._of_own(lambda state: state.room(self._counted(self.own).blocks))

    def unweighed(self) -> tuple[Blocks, Mapping[int, Counted], int]:
        """Return the blocks of all workers that are not yet in the evidence, in the order of their ends.

        Also how far it is with each slot when it has weighed them, and the rows that are lost to it.
        """
        members, _ = self._members()
        found = [self._unread(slot) for slot in members]
        counted = self._known({slot.key: after for slot, (_, after, _) in zip(members, found, strict=True)})
        lost = sum(skipped for *_, skipped in found)
        if len(found) == 1:
            return found[0][0], counted, lost
        blocks = [own for own, *_ in found]
        together = Blocks(
            *(np.concatenate([getattr(own, name) for own in blocks]) for name in ("counts", "hours", "at"))
        )
        return together.part(np.argsort(together.at, kind="stable")), counted, lost

    def _known(self, seen: Mapping[int, Counted]) -> Mapping[int, Counted]:
        """Return each slot's read position; positions of invisible slots are kept, the oldest dropped first.

        A slot that cannot be seen now has been weighed as far as before when it can again; who has not been seen for
        the longest time stands first.
        """
        unseen = [(key, before) for key, before in self.remembered().counted.items() if key not in seen]
        return dict(unseen[max(0, len(unseen) + len(seen) - self._memory.slots) :]) | dict(seen)

    def _unread(self, slot: Slot) -> tuple[Blocks, Counted, int]:
        read = self._counted(slot)
        for _ in range(_TRIES):
            taken = slot.state.take()
            unread = slot.state.unread(taken, read)
            if slot.state.has_blocks(unread):
                return unread.counted()
        raise Overrun("other workers wrote faster than their blocks could be read")

    def _counted(self, slot: Slot) -> Counted:
        return self.remembered().counted.get(slot.key) or slot.state.origin()

    def weigh(self, evidence: Evidence, counted: Mapping[int, Counted]) -> None:
        """Keep evidence together with the rows that it has weighed: none may be weighed again."""
        self._memory.change(evidence=evidence, counted=dict(counted))

    def settled(self) -> Settled:
        """Return which thresholds effects have reached."""
        return self.remembered().settled

    def settle(self, settled: Settled, evaluated_at: float | None = None) -> None:
        """Keep which thresholds effects have reached, and when that was seen by the server's clock."""
        at = self.remembered().evaluated_at if evaluated_at is None else evaluated_at
        self._memory.change(settled=settled, evaluated_at=at)

    def retire(self, now: float, after_seconds: float) -> None:
        """Fold unused slots whose rows are too old for all windows into the retired totals."""
        slots, totals = self._shared, self._retired
        if slots is not None and totals is not None:
            counted = self.remembered().counted
            slots.retire(totals, lambda slot: not _is_over(slot, counted, now - after_seconds))


def _is_over(slot: Slot, counted: Mapping[int, Counted], oldest: float) -> bool:
    """Say whether all rows of a slot are weighed, and older than a moment.

    One without rows is not: its worker has just been killed, or is yet to have any, and the next one goes on there.
    """
    if not -math.inf < slot.state.newest_arrival < oldest:
        return False
    weighed = counted.get(slot.key) or slot.state.origin()
    rows = slot.state.take().bin_rows.astype(np.uint32)
    return bool((rows == weighed.counts).all())
