"""A process that uses the state of one version: it reads commands and writes what they took, a line of JSON each."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import driftgauge
import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.models.baseline_file import loads
from threadpoolctl import threadpool_limits

from benchmarks.processes import PAGE_BYTES
from benchmarks.state_versions import Watched, watch

START: Final = 1_700_000_000.0
"""Time is simulated: rows say when they arrive."""
CHUNK_BYTES: Final = 4 * 2**20
DURING_ROWS: Final = 16
DURING_SECONDS: Final = 0.02
"""During a busy evaluation another thread appends this many rows after each pause."""


class Session:
    """A state, its clock, and the rows that it is given."""

    def __init__(self) -> None:
        self._generator = np.random.default_rng(1)
        self._now = START
        self._columns = 0
        self._watched: Watched | None = None

    def where(self) -> Mapping[str, Any]:
        """Return the file of the package that is measured."""
        return {"file": driftgauge.__file__}

    def load(self, baseline: str) -> Mapping[str, Any]:
        """Read the baseline, and touch the memory that rows will use."""
        self._baseline = loads(Path(baseline).read_text(encoding="utf-8"))
        self._columns = len(self._baseline.columns)
        self._rows(self._chunk_rows)
        return {}

    def open(self, folder: str) -> Mapping[str, Any]:
        """Open the state in a folder."""
        self._folder = Path(folder)
        self._watched = watch(self._baseline, self._folder, self._now)
        return {"half_full": self._watched.half_full}

    def fill(self, rows: int, seconds: float) -> Mapping[str, Any]:
        """Observe rows that arrive evenly over some seconds."""
        for first in range(0, rows, self._chunk_rows):
            part = min(self._chunk_rows, rows - first)
            self._watch.monitor.observe(self._rows(part), arrival=self._arrivals(part, seconds * part / rows))
        return {}

    def evaluate(self, rows: int, *, busy: bool) -> Mapping[str, Any]:
        """Observe rows of five seconds and evaluate; if it is busy, more rows arrive during both."""
        values, arrivals = self._rows(rows), self._arrivals(rows, 5.0)
        with self._appending() if busy else nullcontext():
            turn = time.process_time()
            self._watch.monitor.observe(values, arrival=arrivals)
            thread = time.thread_time()
            self._watch.monitor.evaluate(self._now)
            evaluation = time.thread_time() - thread
            return {"evaluation": evaluation, "turn": time.process_time() - turn}

    def catch_up(self, rows: int, per_second: float) -> Mapping[str, Any]:
        """Append rows and catch up with them."""
        values = self._rows(rows)
        return asdict(self._watch.catch_up(values, self._arrivals(rows, rows / per_second)))

    def written(self, rows: int, per_second: float) -> Mapping[str, Any]:
        """Append rows, catch up with them, and return the bytes of the pages that changed, by file."""
        before = _contents(self._folder)
        self.catch_up(rows, per_second)
        return {name: changed_bytes(before.get(name, b""), now) for name, now in _contents(self._folder).items()}

    def files(self) -> Mapping[str, Any]:
        """Return the size of each file of the state."""
        return {path.name: path.stat().st_size for path in _files(self._folder)}

    @property
    def _watch(self) -> Watched:
        if self._watched is None:
            raise RuntimeError("no state is open")
        return self._watched

    @property
    def _chunk_rows(self) -> int:
        return max(1, CHUNK_BYTES // (8 * self._columns))

    def _rows(self, count: int) -> FloatArray:
        return self._generator.normal(size=(count, self._columns))

    def _arrivals(self, count: int, seconds: float) -> FloatArray:
        begin, self._now = self._now, self._now + seconds
        return begin + seconds * np.arange(1, count + 1) / max(1, count)

    @contextmanager
    def _appending(self) -> Iterator[None]:
        over, values, now = threading.Event(), self._rows(DURING_ROWS), self._now

        def append() -> None:
            while not over.wait(DURING_SECONDS):
                self._watch.monitor.observe(values, arrival=now)

        thread = threading.Thread(target=append)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _contents(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in _files(folder)}


def changed_bytes(before: bytes, after: bytes) -> int:
    """Return the bytes of the pages of memory that differ, which is what the kernel writes to the disk."""
    size = max(len(before), len(after))
    padded = -(-size // PAGE_BYTES) * PAGE_BYTES
    pages = (np.frombuffer(own.ljust(padded, b"\0"), np.uint64).reshape(-1, PAGE_BYTES // 8) for own in (before, after))
    return PAGE_BYTES * int((next(pages) != next(pages)).any(axis=1).sum())


def main() -> None:
    """Answer commands until the input ends."""
    session = Session()
    commands: Mapping[str, Callable[..., Mapping[str, Any]]] = {
        command.__name__: command
        for command in (
            *(session.where, session.load, session.open, session.fill),
            *(session.evaluate, session.catch_up, session.written, session.files),
        )
    }
    with threadpool_limits(1):
        for line in sys.stdin:
            name, arguments = json.loads(line)
            print(json.dumps(commands[name](**arguments)), flush=True)


if __name__ == "__main__":
    main()
