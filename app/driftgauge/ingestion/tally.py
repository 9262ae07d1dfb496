"""What became of the records of one delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from driftgauge.predictions.labels import Fate


@dataclass(frozen=True)
class IngestTally:
    """What became of what one request or batch held."""

    taken: int = 0
    """Rows that were counted."""
    duplicates: int = 0
    """Rows that were counted before."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Records that cannot be read, by reason."""
    joined: int = 0
    """Requests and responses that found each other."""
    waiting: int = 0
    """Requests and responses that wait for each other."""
    labels: Mapping[Fate, int] = field(default_factory=Counter)
    """Labels and outcomes by what became of them."""
