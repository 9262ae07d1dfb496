"""The probabilities that models of several classes gave, as the log keeps them: one blob for each chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection, insert, select

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.predictions.chunk_reader import PROBABILITIES, ChunkReader
from driftgauge.predictions.packing import SINGLE
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

    `classes` are indices, shape [n], and `width` is the number of classes of the model. A chunk is read once.
    """
    found = np.full(len(seqs), np.nan)
    if not are_kept(width):
        return found
    places = np.concatenate(
        [np.empty((0, 3), dtype=np.int64)]
        + [_places(connection, seqs[first : first + _AT_ONCE], first) for first in range(0, len(seqs), _AT_ONCE)]
    )
    places = places[np.argsort(places[:, 1], kind="stable")]
    numbers, first_of = np.unique(places[:, 1], return_index=True)
    rows_of = dict(zip(numbers.tolist(), np.split(places, first_of[1:]), strict=True))
    wanted = {number: rows[:, 2] for number, rows in rows_of.items()}
    reader = ChunkReader(connection.engine, PROBABILITIES)
    for number, values in reader.read(connection, wanted, dict.fromkeys(wanted, width)):
        rows = rows_of[number][:, 0]
        found[rows] = chosen(values, classes[rows])
    return found


def chosen(values: FloatArray, classes: FloatArray) -> FloatArray:
    """Return one number of each row, by the index of a class; NaN for an index that no class has.

    `values` have the shape [n, classes], `classes` [n].

    >>> chosen(np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([1.0, -1.0]))
    array([0.75,  nan])
    """
    found = np.full(len(classes), np.nan)
    known = np.flatnonzero((classes >= 0) & (classes < values.shape[1]))
    found[known] = values[known, classes[known].astype(np.int64)]
    return found


def _places(connection: Connection, seqs: IntArray, first: int) -> IntArray:
    """Return the index of each prediction that is there, from `first` on, and its chunk and position, shape [m, 3]."""
    own = predictions.c
    query = select(own.seq, own.chunk, own.position).where(own.seq.in_(seqs.tolist()))
    there = {seq: place for seq, *place in connection.execute(query)}
    found = [(index, *there[seq]) for index, seq in enumerate(seqs.tolist(), first) if seq in there]
    return np.array(found, dtype=np.int64).reshape(-1, 3)
