"""The rows of a worker's log that no catch-up has read, and the room that is left for more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from driftgauge.state.log import Log


class Backlog:
    """Knows how far a log was read; asks the checkpoint only when the rows since then may be too many."""

    def __init__(self, most: int, position: int, read_position: Callable[[int], int]) -> None:
        """Allow for `most` unread rows; `read_position` returns how far the log was read, given what is known."""
        self.most: Final = most
        self._position = position
        self._read_position = read_position
        self.look_at = position + most // 2
        """Number of rows of the log from which on a stream of single rows has to look at the room."""

    def rows(self, log: Log) -> int:
        """Return the unread rows, or more: some may have been read since."""
        return log.rows - self._position

    def update(self) -> None:
        """Learn how far the log was read, by whichever worker."""
        self._position = self._read_position(self._position)

    def room(self, log: Log) -> int:
        """Return the rows that can be appended until a catch-up; negative after the checkpoint was damaged."""
        self.update()
        return self.most - self.rows(log)

    def is_full(self, log: Log) -> bool:
        """Say whether there is no room for a single row."""
        return log.rows - self._position >= self.most and self.room(log) <= 0

    def is_half_full(self, log: Log) -> bool:
        """Say whether half of the room is taken, so that it is time for a catch-up."""
        return 2 * self.rows(log) >= self.most >= 2 * self.room(log)

    def fills(self, log: Log) -> bool:
        """Say whether the log has become half full, or fuller by a sixty-fourth since this was true last.

        For each row of a stream: the checkpoint is not read each time.
        """
        if log.rows < self.look_at:
            return False
        half_full = self.is_half_full(log)
        self.look_at = log.rows + self.most // 64 if half_full else self._position + self.most // 2
        return half_full
