"""Which callers sent the rows of a window: their shares, from counts by time in each worker."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from driftgauge.monitor.problems import Problems
from driftgauge.state.clients_file import ClientsFile, Counts

SHOWN: Final = 10
"""Clients that metrics name."""
WIDTH_SECONDS: Final = 10
"""Width of a bucket of time at first; it doubles when there are too many."""
MOST_BUCKETS: Final = 256
MOST_CLIENTS: Final = 32
"""Clients that one bucket tells apart; further ones are counted together."""
OTHERS: Final = "others"
UNWRITTEN: Final = "clients_not_written"


class ClientRows:
    """Rows by client in buckets of time, as few as hold the rows of the main window.

    One thread counts, others read. Workers read the files of one another, so each of them gives the same answer.
    """

    def __init__(self, window_rows: int, file: ClientsFile | None, problems: Problems) -> None:
        """Begin with what an earlier process left in the file; None for state in memory."""
        self._window_rows: Final = window_rows
        self._file = file
        self._problems = problems
        self._lock = threading.Lock()
        self._counts = (file.read_own() if file else None) or Counts(WIDTH_SECONDS, {})
        self._total = sum(sum(bucket.values()) for bucket in self._counts.buckets.values())
        self._changed = False

    def count(self, client: str, rows: int, at: float) -> None:
        """Count rows that a client sent at a time, in seconds since 1970."""
        with self._lock:
            number = int(at) // self._counts.width_seconds
            bucket = self._counts.buckets.get(number)
            if bucket is None:
                bucket = self._begin(number)
            if client not in bucket and len(bucket) >= MOST_CLIENTS:
                client = OTHERS
            bucket[client] = bucket.get(client, 0) + rows
            self._total += rows
            self._changed = True

    def _begin(self, number: int) -> dict[str, int]:
        """Return a new bucket, after dropping those whose rows have left the window."""
        buckets = self._counts.buckets
        for oldest in sorted(buckets):
            rows = sum(buckets[oldest].values())
            if self._total - rows < self._window_rows:
                break
            del buckets[oldest]
            self._total -= rows
        if len(buckets) >= MOST_BUCKETS:
            self._counts = _widened(self._counts, 2 * self._counts.width_seconds)
            number //= 2
        return self._counts.buckets.setdefault(number, {})

    def shares(self) -> Mapping[str, float]:
        """Return the share of each client in the newest rows of all workers, the largest first.

        These rows are at least those of the main window, if there are as many: buckets are not divided.
        """
        with self._lock:
            own = Counts(self._counts.width_seconds, {n: dict(own) for n, own in self._counts.buckets.items()})
        everyone = [own, *(self._file.read_others() if self._file else [])]
        rows = _newest(everyone, self._window_rows)
        total = sum(rows.values())
        ranked = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
        return {client: count / total for client, count in ranked} if total else {}

    def write(self) -> None:
        """Write the counts for other workers and the next process, if they have changed."""
        if self._file is None or not self._changed:
            return
        with self._lock:
            self._changed = False
            content = self._counts.as_json()
        try:
            self._file.write(content)
        except OSError as error:
            self._changed = True
            self._problems.record(UNWRITTEN, error)


def _widened(counts: Counts, width_seconds: int) -> Counts:
    """Return counts in buckets that are a multiple as wide."""
    factor = width_seconds // counts.width_seconds
    buckets: dict[int, dict[str, int]] = {}
    for number in sorted(counts.buckets):
        _add(buckets.setdefault(number // factor, {}), counts.buckets[number].items())
    return Counts(width_seconds, buckets)


def _add(rows: dict[str, int], more: Iterable[tuple[str, int]]) -> None:
    for client, count in more:
        own = client if client in rows or len(rows) < MOST_CLIENTS else OTHERS
        rows[own] = rows.get(own, 0) + count


def _newest(workers: Sequence[Counts], needed: int) -> Mapping[str, int]:
    """Return the rows of each client in the newest buckets of all workers that hold as many rows as are needed."""
    width = max(worker.width_seconds for worker in workers)
    same = [_widened(worker, width) for worker in workers]
    found: dict[str, int] = {}
    total = 0
    for number in sorted({number for worker in same for number in worker.buckets}, reverse=True):
        for worker in same:
            for client, rows in worker.buckets.get(number, {}).items():
                found[client] = found.get(client, 0) + rows
                total += rows
        if total >= needed:
            break
    return found


def most_rows(clients: Mapping[str, float]) -> Mapping[str, float]:
    """Return the clients that metrics name: the first ones, which have the most rows."""
    return dict(islice(clients.items(), SHOWN))
