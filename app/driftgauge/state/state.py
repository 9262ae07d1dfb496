"""Writer of a worker's state: numpy arrays over one buffer of fixed size.

The buffer is memory, or a mapped file that other processes read and that outlives this one. A reader
never holds up the writer, and neither a reader nor the next owner ever sees half of anything:

- Rows: the writer reserves the places that it is about to overwrite, writes, then commits. A reader
  copies, looks at the reservation again, and copies once more if its rows were among them.
- What is derived of rows (bin codes, bin counts, buckets of time, blocks) is brought up to date in steps of a
  block. A step writes beside what was there, and counts once its number is written; an unfinished one is repeated.
- Counters are counted in memory of the worker's own and published, all at once, with every batch.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import numpy as np

from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.windows.blocks import Head
from driftgauge.drift.windows.time_spans import Block
from driftgauge.drift.windows.window import Rows
from driftgauge.metrics.counters import Counters
from driftgauge.metrics.series import LATE
from driftgauge.state.layout import Buffer
from driftgauge.state.points import go_on
from driftgauge.state.reader import StateReader, head_of
from driftgauge.state.shape import COMMITTED, FIRST, RESERVED, Saved, StateShape, Taken
from driftgauge.state.tally import Tally
from driftgauge.state.versions import Arrays, Damaged

OVERWRITTEN: Final = "it was overwritten while its worker used it"


class State(StateReader):
    """A ring of the newest rows with their bin codes, buckets of time, cumulative bin counts, and counters.

    One process writes, whose own lock keeps its threads apart; others, which map the same buffer
    read-only, read. Rows are binned a block at a time, or when somebody wants to read: the owner in
    place, others a copy of the few that wait.
    """

    def __init__(
        self,
        shape: StateShape,
        buffer: Buffer | None = None,
        *,
        reach: Callable[[str], None] = go_on,
        before: State | None = None,
    ) -> None:
        """Make an empty state in memory, or see one in a buffer, which `begin` or `resume` makes usable.

        `reach` is told of each of the `POINTS` that is passed. One in memory may go on with the counters of another
        state of this process, `before`, which nobody writes any more.
        """
        super().__init__(shape, bytearray(shape.layout.size_bytes) if buffer is None else buffer, reach=reach)
        self._reach = reach
        self._published = buffer is not None
        self._closed = False
        self._writing = threading.RLock()  # who holds up writers may take what is there
        self._tally: Tally = before._tally if before else Tally(shape)
        self._numbers = [0, 0, 0]
        """What the header says, as far as this process wrote it: nobody else may."""
        self._step_number = 0
        """The number of the last step, in the same way."""
        self.counters: Final[Counters] = self._tally.counters
        """As of now."""
        self.process: Final[FloatArray] = self._tally.live["process"]
        """What is known of the process, in the order of `metrics.PROCESS`."""
        self._head = self._blocks.start()
        if buffer is None:
            self.begin(before._counted_only() if before else None)

    def apart(self) -> State:
        """Return a state in memory that goes on counting where this one stops, whose file cannot be used any more.

        Its rows begin anew. Nothing is read of the file, nor written from now on.
        """
        self._closed = True
        return State(self.shape, before=self)

    def _counted_only(self) -> Saved:
        """Return what this process knows without a look into the file: how many rows there were, in which bins."""
        rows, none = self._numbers[COMMITTED], np.empty(0)
        return Saved(np.empty((0, self._binner.columns)), none, none, rows, self._head.total, None)

    # ------------------------------------------------------------ beginning

    def begin(self, saved: Saved | None = None) -> None:
        """Make the state of an empty buffer, of zeros: without rows, or with those that were saved of another one."""
        for ring in self._rings:
            ring.clear()
        self._latest[0] = -math.inf
        if saved is None:
            self._keep_head(self._blocks.start())
        else:
            begin = saved.rows - len(saved.values)
            for place in (RESERVED, COMMITTED, FIRST):
                self._note(place, begin)
            base = self._head.total if saved.base is None else saved.base
            self._keep_head(Head(begin, 0, 0, -math.inf, base))
            self.append(saved.values, saved.arrival, saved.event)
            self.digest()
            self._arrays["origin_blocks"][0] = self._head.ended
            self._arrays["origin_counts"][:] = self._head.total
            if saved.counted is not None:  # now, for rows that were late have been counted once
                self._tally.words[:] = saved.counted
        self._tally.live["rows"][0] = self.rows
        self.publish()

    def resume(self) -> int:
        """Go on where the last owner stopped, however it ended; Damaged if what it left contradicts itself.

        Returns the rows that it appended and did not count any more.
        """
        step, digested = self._digest_versions.read()
        self._head = head_of(digested)
        for name, array in self._counter_versions.read()[1].items():
            self._tally.live[name][...] = array
        for buckets in self._rings:
            buckets.forget_after(step)
        self._require_whole(step)
        self._numbers, self._step_number = self._header.tolist(), step
        self._bin_again()
        self._drop_uncommitted(float(digested["head"][-1]))
        self.digest()
        uncounted = self.rows - int(self._tally.live["rows"][0])
        self._tally.live["rows"][0] = self.rows
        return max(0, uncounted)

    def _require_whole(self, step: int) -> None:
        """Raise Damaged if anything that was binned contradicts itself."""
        reserved, committed, first = self._header.tolist()
        binned = self._head.rows
        if not 0 <= first <= binned <= committed <= reserved <= committed + self._block_rows:
            raise Damaged("the numbers of rows contradict one another")
        if step != self._digest_versions.sequence:
            raise Damaged("the newest copy of the totals does not fit its checksum")
        if committed - binned > self._ahead.most_rows:
            raise Damaged("the rows that wait to be binned are too many")
        if not self._all_fit(self.oldest, binned):
            raise Damaged("rows do not fit their checksums")
        if not (all(ring.is_sound for ring in self._rings) and self._blocks.is_sound(self._head)):
            raise Damaged("counts contradict one another")

    def _bin_again(self) -> None:
        """Bin rows that were binned before: of their codes there is no checksum."""
        for ring, _ in self._parts(min(self.oldest, self._head.rows), self._head.rows, at_once=self._block_rows):
            self._codes[ring] = self._binner.codes(self._values[ring])

    def _drop_uncommitted(self, latest: float) -> None:
        """Forget rows that were never committed: the latest event may be theirs, and places that they took are."""
        committed = self.rows
        if int(self._header[RESERVED]) != committed:
            events = [self._event[ring].max() for ring, _ in self._parts(self._head.rows, committed)]
            self._latest[0] = max([latest, *map(float, events)])
            self._note(FIRST, self.oldest)
            self._note(RESERVED, committed)

    # ------------------------------------------------------------ writing

    @property
    def rows(self) -> int:
        """Rows appended since the state began."""
        return self._numbers[COMMITTED]

    def append(self, values: FloatArray, arrival: FloatArray | float, event: FloatArray) -> None:
        """Append rows, `values` of shape [n, columns], `arrival` a time or of shape [n], `event` [n], however many.

        RuntimeError if the state was closed.
        """
        arrival = np.broadcast_to(arrival, len(values))
        with self._writing:
            if self._closed:
                raise RuntimeError("the state is closed: the server has stopped")
            for first in range(0, len(values), self._block_rows):
                block = slice(first, first + self._block_rows)
                self._append_block(values[block], arrival[block], event[block])

    def _note(self, place: int, number: int) -> None:
        """Write a number into the header."""
        self._numbers[place] = self._header[place] = number

    def _require_own(self) -> None:
        """Raise Damaged where somebody else wrote what this process alone writes.

        With other numbers there would be no end to the rows that wait.
        """
        if self._header.tolist() != self._numbers or self._digest_versions.sequence != self._step_number:
            raise Damaged(OVERWRITTEN)

    def _append_block(self, values: FloatArray, arrival: FloatArray, event: FloatArray) -> None:
        numbers = self._numbers
        if self._header.tolist() != numbers:
            raise Damaged(OVERWRITTEN)
        begin = numbers[COMMITTED]
        end = begin + len(values)
        if end - self._head.rows > self._block_rows:
            self._digest()
        self._header[RESERVED] = numbers[RESERVED] = end
        self._reach("append.reserved")
        for ring, rows in self._parts(begin, end):
            self._values[ring] = values[rows]
            self._event[ring] = event[rows]
            self._arrival[ring] = arrival[rows]
        newest = event[0] if len(event) == 1 else event.max()  # numpy's own way costs a microsecond more
        self._latest[0] = max(self._latest[0], newest)
        self._reach("append.written")
        self._header[COMMITTED] = numbers[COMMITTED] = end
        self._reach("append.committed")

    def digest(self) -> None:
        """Bin the rows that wait."""
        with self._writing:
            self._digest()

    def _digest(self) -> None:
        """Bin the rows that wait; the caller holds the writing lock."""
        if self._closed:
            return
        self._require_own()
        begin, end = self._head.rows, self.rows
        for ring, rows in self._parts(begin, end, at_once=self._block_rows):
            step = self._digest_versions.sequence + 1
            try:
                self._step(ring, begin + np.arange(rows.start, rows.stop), step)
            except BaseException:  # it is done again, from the rows
                for buckets in self._rings:
                    buckets.forget_after(self._digest_versions.sequence)
                raise

    def _step(self, ring: slice, numbers: IntArray, step: int) -> None:
        """Bin rows with these numbers."""
        codes = self._binner.codes(self._values[ring])
        self._codes[ring] = codes
        self._reach("digest.binned")
        head, counts = self._blocks.add(self._head, codes, self._at[ring])
        self._reach("digest.blocks")
        late = self._count_in_time(ring, codes, counts, step)
        self._arrays["numbers"][ring] = numbers
        self._arrays["row_checks"][ring] = self._checked(ring, numbers)
        self._reach("digest.rows")
        self._keep_head(head)
        if late:
            with self.counting() as counters:
                counters.add(LATE.name, late)
        self._reach("digest.finished")

    def _keep_head(self, head: Head) -> None:
        """Finish a step: from now on its counts are those of all rows before the head."""
        numbers = (head.ended, head.hour, head.at, self._latest[0])
        self._digest_versions.write({"head": (head.rows, *numbers), "total": head.total})
        self._step_number = self._digest_versions.sequence
        self._head = head

    def _count_in_time(self, ring: slice, codes: CodeArray, counts: IntArray, step: int) -> int:
        """Count rows in the buckets of the time windows; returns for how many the longest has no place."""
        if not self._rings:
            return 0
        values = self._values[ring]
        block = Block(values, codes, self._at[ring], counts.astype(np.uint32), self._summing(values))
        late = []
        for buckets in self._rings:
            late.append(buckets.add(block, step))
            self._reach("digest.bucket")
        return min(late)

    def room(self, blocks: int) -> int:
        """Return how many rows the owner may append until blocks could be overrun, so many having been read."""
        with self._writing:
            return self._blocks.room(self._head, blocks) - (self.rows - self._head.rows)

    def counting(self) -> AbstractContextManager[Counters]:
        """Give the counters to one writer at a time."""
        return self._tally.counting()

    def publish(self) -> None:
        """Let other processes, and whoever comes after this one, know of all that was counted."""
        with self._tally.lock:
            self._publish()

    def _publish(self) -> None:
        """Publish what was counted; the caller holds the lock."""
        if self._published and not self._closed:
            self._tally.live["rows"][0] = self.rows
            self._counter_versions.write_words(self._tally.words)
            self._reach("counters.published")

    @property
    def is_closed(self) -> bool:
        """Whether its owner has left."""
        return self._closed

    def close(self) -> None:
        """Write nothing more, whoever asks: from now on the buffer may be another worker's."""
        with self._writing:
            self._digest()
            with self._tally.lock:
                self._publish()
                self._closed = True

    # ------------------------------------------------------------ reading

    def check(self) -> None:
        """Raise Damaged if the state is not as this worker left it."""
        with self._writing, self._tally.lock:
            if self._published and not self._closed:  # nobody else can reach what is in memory
                self._publish()
                self._require_own()
                super().check()

    def counted(self) -> Arrays:
        """Return what was counted, by series, and `process`; what others read is published first."""
        with self._tally.lock:  # so that no histogram is copied half counted, and nothing told that is not published
            self._publish()
            return self._tally.copied()

    def counted_here(self) -> Arrays:
        """Return what was counted, as `counted`, without a look into the file."""
        with self._tally.lock:
            return self._tally.copied()

    @property
    def bin_rows_here(self) -> IntArray:
        """The rows in each bin as of the last step, shape [columns, K], without a look into the file."""
        return self._head.total

    def held_up(self) -> AbstractContextManager[bool]:
        """Let no other thread append meanwhile."""
        return self._writing

    def take(self, now: float | None = None) -> Taken:
        """Bin the rows that wait, and return what the state holds at `now`, as any reader does."""
        with self._writing:
            self._digest()
            return self._taken(self._head, self._digest_versions.sequence, now)

    def codes_until(self, end: int, rows: int) -> Rows:
        """Return the codes and times, without values, of the newest `rows` of the first `end` rows.

        Fewer if not all of them are held any more; the caller sees to it that nobody appends meanwhile.
        """
        with self._writing:
            if self._head.rows < end:
                self._digest()
        return self._codes_between(max(self.oldest, end - rows), end)
