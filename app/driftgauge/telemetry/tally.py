"""What became of the items of each worker, and its newest exemplars: in files that all workers read."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from driftgauge.common.replacing import replacing
from driftgauge.common.safe_files import read_bounded
from driftgauge.metrics.facts import Exemplar, TelemetryFacts

SIGNALS: Final[Mapping[str, tuple[str, ...]]] = {
    "metrics": ("sent", "failed"),
    "traces": ("sent", "failed", "dropped"),
}
"""The results of each signal; each is counted from 0."""
EXEMPLAR_SECONDS: Final = 600.0
"""Age up to which an exemplar is shown."""
MOST_BYTES: Final = 1_048_576
_FILE: Final = re.compile(r"worker-\d+\.json")
Counts = dict[tuple[str, str], float]
Exemplars = dict[tuple[str, ...], dict[int, Exemplar]]


class Tally:
    """The counts and the exemplars of one worker. Its methods may be called from any thread."""

    def __init__(self, folder: Path | None, slot: int, signals: Iterable[str]) -> None:
        """Go on from what the worker of this slot counted before; without a folder, count in memory."""
        self._path: Final = None if folder is None else folder / f"worker-{slot}.json"
        self._lock = threading.Lock()
        self._counts: Counts = {(signal, result): 0.0 for signal in signals for result in SIGNALS[signal]}
        self._exemplars: Exemplars = {}
        self._sent_at: dict[str, float] = {}
        self._is_saved = True
        if self._path is not None:
            counts, _, self._sent_at = _read(self._path)
            self._counts.update(counts)

    def add(self, signal: str, result: str, amount: int) -> None:
        """Count items."""
        with self._lock:
            self._counts[signal, result] = self._counts.get((signal, result), 0.0) + amount
            self._is_saved = False

    def delivered(self, signal: str, at: float) -> None:
        """Keep when a signal last arrived."""
        with self._lock:
            self._sent_at[signal] = at
            self._is_saved = False

    def note(self, labels: tuple[str, ...], bucket: int, exemplar: Exemplar) -> None:
        """Keep the newest request of a bucket."""
        with self._lock:
            self._exemplars.setdefault(labels, {})[bucket] = exemplar
            self._is_saved = False

    def save(self) -> None:
        """Write what has changed, for the other workers and the next one of this slot."""
        if self._path is None:
            return
        with self._lock:
            if self._is_saved:
                return
            body = orjson.dumps(
                {
                    "items": [[*key, count] for key, count in self._counts.items()],
                    "exemplars": [
                        [labels, bucket, asdict(own)]
                        for labels, children in self._exemplars.items()
                        for bucket, own in children.items()
                    ],
                    "sent_at": self._sent_at,
                }
            )
            self._is_saved = True
        with replacing(self._path) as new:
            new.touch(0o600)
            new.write_bytes(body)

    def facts(self, now: float, lost_threshold_ratio: float) -> TelemetryFacts:
        """Return what all workers have counted, and the newest exemplar of each bucket.

        It is saved first: a count that was shown must not become smaller if the process is killed.
        """
        with contextlib.suppress(OSError):  # it is recorded where it is saved at intervals
            self.save()
        with self._lock:
            sent_at = dict(self._sent_at)
            counts = dict(self._counts)
            found = {labels: dict(children) for labels, children in self._exemplars.items()}
        for path in self._others():
            their_counts, their_exemplars, their_sent_at = _read(path)
            for signal, at in their_sent_at.items():
                sent_at[signal] = max(at, sent_at.get(signal, at))
            for key, count in their_counts.items():
                counts[key] = counts.get(key, 0.0) + count
            for labels, children in their_exemplars.items():
                for bucket, own in children.items():
                    known = found.setdefault(labels, {}).get(bucket)
                    if known is None or known.at < own.at:
                        found[labels][bucket] = own
        recent = {
            labels: {bucket: own for bucket, own in sorted(children.items()) if now - own.at <= EXEMPLAR_SECONDS}
            for labels, children in found.items()
        }
        return TelemetryFacts(counts, lost_threshold_ratio, recent, sent_at)

    def _others(self) -> Iterable[Path]:
        if self._path is None:
            return []
        return sorted(own for own in self._path.parent.iterdir() if _FILE.fullmatch(own.name) and own != self._path)


def _read(path: Path) -> tuple[Counts, Exemplars, dict[str, float]]:
    """Return what a file holds; nothing if there is none or it is damaged."""
    try:
        stored: Any = orjson.loads(read_bounded(path, MOST_BYTES))
        counts = {(str(signal), str(result)): float(count) for signal, result, count in stored["items"]}
        exemplars: Exemplars = {}
        for labels, bucket, own in stored["exemplars"]:
            exemplars.setdefault(tuple(map(str, labels)), {})[int(bucket)] = Exemplar(**own)
        sent_at = {str(signal): float(at) for signal, at in stored.get("sent_at", {}).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}, {}, {}
    return counts, exemplars, sent_at
