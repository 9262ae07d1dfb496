"""What became of the items of each worker, why it fails, and its newest exemplars: in files that all workers read."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
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
Failed = dict[str, tuple[float, str]]
"""When and why the last transmission of a signal failed."""


@dataclass
class _Kept:
    """What the file of a worker holds."""

    counts: Counts = field(default_factory=dict)
    exemplars: Exemplars = field(default_factory=dict)
    sent_at: dict[str, float] = field(default_factory=dict)
    failed: Failed = field(default_factory=dict)


class Tally:
    """The counts and the exemplars of one worker. Its methods may be called from any thread."""

    def __init__(self, folder: Path | None, slot: int, signals: Iterable[str], since: float = 0.0) -> None:
        """Go on from what the worker of this slot counted before; without a folder, count in memory.

        Failures before `since`, the start of this worker, may be those of an earlier run, and are not shown.
        """
        self._path: Final = None if folder is None else folder / f"worker-{slot}.json"
        self._lock = threading.Lock()
        self._counts: Counts = {(signal, result): 0.0 for signal in signals for result in SIGNALS[signal]}
        self._exemplars: Exemplars = {}
        self._sent_at: dict[str, float] = {}
        self._failed: Failed = {}
        self._since: Final = since
        self._is_saved = True
        if self._path is not None:
            before = _read(self._path)
            self._sent_at = before.sent_at
            self._counts.update(before.counts)

    def add(self, signal: str, result: str, amount: int) -> None:
        """Count items."""
        with self._lock:
            self._counts[signal, result] = self._counts.get((signal, result), 0.0) + amount
            self._is_saved = False

    def delivered(self, signal: str, at: float) -> None:
        """Keep when a signal last arrived."""
        with self._lock:
            self._sent_at[signal] = at
            self._failed.pop(signal, None)
            self._is_saved = False

    def failed(self, signal: str, at: float, reason: str) -> None:
        """Keep why a signal does not arrive, until it does."""
        with self._lock:
            self._failed[signal] = (at, reason)
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
                    "failed": self._failed,
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
            found = _Kept(
                dict(self._counts),
                {labels: dict(children) for labels, children in self._exemplars.items()},
                dict(self._sent_at),
                dict(self._failed),
            )
        for path in self._others():
            _add(found, _read(path))
        recent = {
            labels: {bucket: own for bucket, own in sorted(children.items()) if now - own.at <= EXEMPLAR_SECONDS}
            for labels, children in found.exemplars.items()
        }
        problems = {
            signal: reason
            for signal, (at, reason) in sorted(found.failed.items())
            if at >= max(self._since, found.sent_at.get(signal, self._since))
        }
        return TelemetryFacts(found.counts, lost_threshold_ratio, recent, found.sent_at, problems)

    def _others(self) -> Iterable[Path]:
        if self._path is None:
            return []
        return sorted(own for own in self._path.parent.iterdir() if _FILE.fullmatch(own.name) and own != self._path)


def _add(found: _Kept, other: _Kept) -> None:
    """Add what another worker has counted; the newest exemplar, success and failure count."""
    for key, count in other.counts.items():
        found.counts[key] = found.counts.get(key, 0.0) + count
    for signal, at in other.sent_at.items():
        found.sent_at[signal] = max(at, found.sent_at.get(signal, at))
    for signal, failure in other.failed.items():
        found.failed[signal] = max(failure, found.failed.get(signal, failure))
    for labels, children in other.exemplars.items():
        for bucket, own in children.items():
            known = found.exemplars.setdefault(labels, {}).get(bucket)
            if known is None or known.at < own.at:
                found.exemplars[labels][bucket] = own


def _read(path: Path) -> _Kept:
    """Return what a file holds; nothing if there is none or it is damaged."""
    try:
        stored: Any = orjson.loads(read_bounded(path, MOST_BYTES))
        counts = {(str(signal), str(result)): float(count) for signal, result, count in stored["items"]}
        exemplars: Exemplars = {}
        for labels, bucket, own in stored["exemplars"]:
            exemplars.setdefault(tuple(map(str, labels)), {})[int(bucket)] = Exemplar(**own)
        sent_at = {str(signal): float(at) for signal, at in stored.get("sent_at", {}).items()}
        failed = {str(signal): (float(at), str(why)) for signal, (at, why) in stored.get("failed", {}).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return _Kept()
    return _Kept(counts, exemplars, sent_at, failed)
