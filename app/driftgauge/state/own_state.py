"""A worker's own state: in its files, or in memory once these cannot be used any more."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.windows.window import Rows
from driftgauge.metrics.counters import Counters
from driftgauge.state.files import is_cut
from driftgauge.state.members import Known
from driftgauge.state.memory import Memory, RetiredTotals
from driftgauge.state.slot import OwnSlot
from driftgauge.state.slots import Slots
from driftgauge.state.state import State
from driftgauge.state.versions import Damaged

_MOST_NOTES: Final = 50
_KEYS: Final = 2**62
T = TypeVar("T")


class OwnState:
    """The rows and counters of this worker, and the parts of a store that are lost with its files."""

    def __init__(
        self, own: OwnSlot, memory: Memory, retired: RetiredTotals | None = None, slots: Slots | None = None
    ) -> None:
        """Take the parts that `Slots.take` gives, or, without slots, such as are in memory."""
        self.own = own
        self.state = own.state
        self.slots: Final = slots
        self._lost: str | None = None
        """Why this worker does not use its files any more."""
        self.left_out: Mapping[int | None, str] = {}
        """What could not be read when somebody looked last, by the number of the slot."""
        self._leaving = threading.Lock()
        self._last_known = Known()
        self._memory = memory
        self._retired = retired
        self._apart = slots is None
        """Whether it shares nothing with other workers, or not any more."""
        self._evaluating = threading.RLock()
        self.damages: Final[list[str]] = []
        """What this worker found damaged of what all share."""

    @property
    def is_persistent(self) -> bool:
        """Whether state is kept in files, and these are where the next worker looks for them."""
        return self._shared is not None

    @property
    def _shared(self) -> Slots | None:
        """The slots of all workers, as long as this one's is among them."""
        return None if self._apart or self.slots is None or not self.slots.is_there else self.slots

    @property
    def lost(self) -> str | None:
        """Why this worker's files are not those of all workers any more, if they were once."""
        gone = self.slots is not None and not self.is_persistent
        return self._lost or ("the files of the state are gone" if gone else None)

    def _of_own(self, act: Callable[[State], T]) -> T:
        """Act on this worker's own state; in memory from now on where its file was cut off or overwritten."""
        try:
            self._require_own()
            return act(self.state)
        except Damaged as error:
            self._leave_files(f"{self.own.number}.state: {error}")
            return act(self.state)

    def _require_own(self) -> None:
        """Raise Damaged if this worker's own file was cut off."""
        file = self.own.file
        if file is not None and is_cut(file):
            raise Damaged("it was cut off while its worker used it")

    def _require_files(self) -> None:
        """Go on in memory if any file of this worker's was cut off: to look into it would end the process."""
        if self.own.file is not None and self.slots is not None and (name := self.slots.cut_off):
            self._leave_files(f"{name}: it was cut off while a worker used it")

    def _leave_files(self, why: str) -> None:
        """Go on in memory, alone; the files are not looked into any more."""
        with self._leaving:
            if self.own.file is None:
                return
            self._memory, self._retired, self._apart = self._memory.copy(as_read=True), None, True
            state = self.state.apart()
            self.own = OwnSlot(self.own.number, secrets.randbelow(_KEYS), state, None)
            self.state = state
            self._lost = why
            self._note(f"{why}; this worker goes on in memory")

    @property
    def window_rows(self) -> int:
        """Rows of the largest window."""
        return self.state.window_rows

    @property
    def latest_event(self) -> float:
        """The largest event time that this worker appended, seconds since 1970; -inf without rows."""
        return self.state.latest_event

    def append(self, values: FloatArray, arrival: FloatArray | float, event: FloatArray) -> None:
        """Append rows, `values` of shape [n, columns], `arrival` a time or of shape [n], `event` [n], however many."""
        try:
            self._require_own()
            self.state.append(values, arrival, event)
        except Damaged as error:
            self._leave_files(f"{self.own.number}.state: {error}")
            self.state.append(values, arrival, event)

    def digest(self) -> None:
        """Bin this worker's rows that wait."""
        self._of_own(State.digest)

    @property
    def counters(self) -> Counters:
        """This worker's own counters."""
        return self.state.counters

    @property
    def process(self) -> FloatArray:
        """What is known of this worker's process, in the order of `metrics.PROCESS`."""
        return self.state.process

    @contextlib.contextmanager
    def counting(self) -> Iterator[Counters]:
        """Give this worker's counters to one writer at a time."""
        with self.state.counting() as counters:
            yield counters

    def publish(self) -> None:
        """Let other workers, and whoever comes after this one, know of all that was counted."""
        self._of_own(State.publish)

    @property
    def oldest(self) -> int:
        """The number of the oldest row that this worker still holds."""
        return self.state.oldest

    def codes_until(self, end: int, rows: int) -> Rows:
        """Return codes and times of the newest `rows` of this worker's first `end` rows, as `State.codes_until`."""
        return self._of_own(lambda state: state.codes_until(end, rows))

    def leave(self) -> None:
        """Write everything to the disk and give the slot back, when the worker ends in good order."""
        self._require_files()
        self._of_own(State.close)
        if self.slots is None:
            return
        if self.own.file is None:
            self.slots.release()
        else:
            self.slots.leave()

    def _note(self, *texts: str) -> None:
        new = [text for text in texts if text not in self.damages]
        self.damages.extend(new[: max(0, _MOST_NOTES - len(self.damages))])
