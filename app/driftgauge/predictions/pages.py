"""One page of the prediction log, and the cursor that leads to the next."""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from driftgauge.predictions.joined_labels import joined_labels
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.records import records
from driftgauge.predictions.rows import Cursor
from driftgauge.predictions.store import PredictionStore

_CURSOR: Final = struct.Struct(">qq")


@dataclass(frozen=True)
class PredictionPage:
    """Predictions in the order of their time."""

    predictions: Sequence[Mapping[str, Any]]
    """As `records` yields them."""
    after: Cursor | None
    """Where the next page begins; None on the last one."""
    damaged: int = 0
    """Predictions with a stored value that cannot be read, which is None."""
    damage: str | None = None
    """The first file that was found damaged."""


def read_page(store: PredictionStore, selection: Selection, rows: int, *, with_labels: bool) -> PredictionPage:
    """Return at most so many of the selected predictions; they may be asked for by at most `MOST_KEYS` ids."""
    batch = next(store.read(replace(selection, batch_rows=rows + 1, with_probabilities=True)), None)
    if batch is None:
        return PredictionPage((), None)
    truths = joined_labels(store.engine, batch) if with_labels else None
    last = rows - 1
    after = Cursor(int(batch.time[last]), int(batch.seq[last])) if len(batch) > rows else None
    found = list(islice(records(batch, truths), rows))
    return PredictionPage(found, after, int(batch.damaged[:rows].sum()), batch.damage)


def cursor_text(cursor: Cursor) -> str:
    """Return a cursor as text for an address.

    >>> cursor_text(Cursor(1_700_000_000_000_000, 7))
    'AAYKJBgzQAAAAAAAAAAABw'
    """
    return urlsafe_b64encode(_CURSOR.pack(cursor.time, cursor.seq)).rstrip(b"=").decode()


def cursor_of(text: str) -> Cursor:
    """Return the cursor that a text stands for; ValueError for another text."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"==")
        cursor = Cursor(*_CURSOR.unpack(raw))
    except (ValueError, struct.error) as error:
        raise ValueError(f"{text!r} is no cursor") from error
    if cursor_text(cursor) != text:
        raise ValueError(f"{text!r} is no cursor")
    return cursor
