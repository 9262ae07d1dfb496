"""The probabilities that models of several classes gave, as the log keeps them: one blob for each chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection, insert, select

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.predictions.packing import SINGLE, SINGLE_BYTES
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.schema import class_probabilities, predictions

MOST_CLASSES: Final = 64
"""Classes of a model up to which probabilities are kept: 256 bytes a row."""
_AT_ONCE: Final = 500
"""Values in one query; SQLite takes a bounded number of parameters."""


def are_kept(classes: int) -> bool:
    """Return whether the log keeps the probabilities of a model: the score of two classes says them already."""
    return 2 < classes <= MOST_CLASSES


def write_probabilities(connection: Connection, chunk: int, parts: Sequence[LoggedRows]) -> None:
    """Write the probabilities of the rows of a chunk, if they are known of any."""
    known = next((part.probabilities for part in parts if part.probabilities is not None), None)
    if known is None:
        return
    content = np.full((sum(map(len, parts)), known.shape[1]), np.nan)
    first = 0
    for part in parts:
        if part.probabilities is not None:
            content[first : first + len(part)] = part.probabilities
        first += len(part)
    packed = content.astype(SINGLE).tobytes()
    connection.execute(insert(class_probabilities).values(chunk=chunk, content=packed))


def probabilities_of(connection: Connection, seqs: IntArray, classes: FloatArray, width: int) -> FloatArray:
    """Return the probability that each prediction, by its number, gave to a class; NaN where it is not known.

    `classes` are indices, shape [n], and `width` is the number of classes of the model.
    """
    found = np.full(len(seqs), np.nan)
    if not are_kept(width):
        return found
    blobs: dict[int, FloatArray] = {}
    for first in range(0, len(seqs), _AT_ONCE):
        own = slice(first, first + _AT_ONCE)
        places = _places(connection, seqs[own].tolist())
        blobs = _blobs(connection, {chunk for chunk, _ in places.values()}, blobs, width)
        for index, (seq, label) in enumerate(zip(seqs[own].tolist(), classes[own].tolist(), strict=True), first):
            chunk, position = places.get(seq, (-1, 0))
            if chunk in blobs and 0 <= label < width and 0 <= position < len(blobs[chunk]):
                found[index] = blobs[chunk][position, int(label)]
    return found


def _places(connection: Connection, seqs: Sequence[int]) -> dict[int, tuple[int, int]]:
    own = predictions.c
    query = select(own.seq, own.chunk, own.position).where(own.seq.in_(seqs))
    return {row.seq: (row.chunk, row.position) for row in connection.execute(query)}


def _blobs(connection: Connection, wanted: set[int], held: dict[int, FloatArray], width: int) -> dict[int, FloatArray]:
    """Return the probabilities of chunks by their number, of which some are held already."""
    own = class_probabilities.c
    found = {chunk: held[chunk] for chunk in wanted if chunk in held}
    query = select(own.chunk, own.content).where(own.chunk.in_(sorted(wanted - found.keys())))
    for row in connection.execute(query):
        if len(row.content) % (SINGLE_BYTES * width) == 0:  # or it is damaged
            found[row.chunk] = np.frombuffer(row.content, SINGLE).astype(np.float64).reshape(-1, width)
    return found
