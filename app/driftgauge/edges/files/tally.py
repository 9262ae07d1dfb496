"""What became of the files, and of the records in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from driftgauge.ingestion.tally import IngestTally
from driftgauge.predictions.labels import Fate


@dataclass
class FileTally:
    """The sums over all files of a run."""

    files: set[str] = field(default_factory=set)
    """Identities of the files of which something was read."""
    known: set[str] = field(default_factory=set)
    """Identities of the files that were read before, to their end."""
    rows: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Records that cannot be read, by reason."""
    joined: int = 0
    halves: int = 0
    """Requests and responses that were read."""
    labels: Counter[Fate] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    """Why files cannot be read, by their path."""
    unfinished: set[str] = field(default_factory=set)
    """Files whose last line has no end yet."""

    @property
    def is_good(self) -> bool:
        """Whether all files and records could be read."""
        return not self.refused and not self.failed

    @property
    def waiting(self) -> int:
        """Requests and responses that wait for the other."""
        return max(0, self.halves - self.joined)

    @property
    def records(self) -> int:
        """What was read, in any way."""
        return self.rows + self.duplicates + self.refused.total() + self.halves + self.labels.total()

    def add(self, own: IngestTally, halves: int) -> None:
        """Add what became of a piece, which has so many requests and responses."""
        self.rows += own.taken
        self.duplicates += own.duplicates
        self.refused.update(own.refused)
        self.joined += own.joined
        self.halves += halves
        self.labels.update(own.labels)

    def lines(self) -> Iterator[str]:
        """Yield what is printed at the end."""
        known = len(self.known - self.files)
        yield f"{len(self.files):,} files read" + (f", {known:,} were read before" if known else "")
        yield f"{self.rows:,} rows counted, {self.duplicates:,} known from before"
        if self.joined or self.waiting:
            yield f"{self.joined:,} requests and responses joined, {self.waiting:,} wait for the other"
        if labels := [f"{count:,} {fate.value.replace('_', ' ')}" for fate, count in self.labels.items() if count]:
            yield f"labels: {', '.join(labels)}"
        if self.refused:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.refused.items()))
            yield f"{sum(self.refused.values()):,} records cannot be read: {reasons}"
