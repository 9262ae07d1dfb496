"""Computes what scores the novelty of rows from a reference table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import OTHER, UNSEEN, Bins, FloatArray
from driftgauge.drift.novelty.detector_rows import DetectorRows
from driftgauge.drift.novelty.novelty import packed
from driftgauge.drift.novelty.scorer import RowScorer, scales_of
from driftgauge.drift.reference.columns import Categories, ColumnBaseline, Table

QUANTILE: Final = 0.999
"""Default share of the reference's rows that are no outliers."""
MOST_NUMERIC: Final = 1_000
"""Most numeric columns: their covariance has a number for each pair."""
_ROWS_AT_ONCE: Final = 65_536


@dataclass(frozen=True)
class ReferenceNovelty:
    """The scores of the reference's own rows, each as if it had not been in the reference."""

    covariance: tuple[float, ...]
    """As a `Novelty` has it."""
    scores: FloatArray
    """Shape [rows]."""
    threshold: float

    @property
    def outliers(self) -> FloatArray:
        """The cells of the column of outliers, shape [rows]."""
        return (self.scores > self.threshold).astype(np.float64)

    def by(self, scores: FloatArray, quantile: float) -> ReferenceNovelty:
        """Return the same with other scores of the rows, and the threshold that follows."""
        return replace(self, scores=scores, threshold=_threshold(scores, quantile))


def reference_novelty(
    table: Table, columns: Sequence[ColumnBaseline], quantile: float = QUANTILE
) -> ReferenceNovelty | None:
    """Score the rows of a table by their own distribution; `columns` are the baselines of its columns.

    The threshold is a quantile of the scores. The table may be a sample of the rows behind the baselines. None for a
    table with too many numeric columns.
    """
    numeric = np.array([column.kind == "numeric" for column in columns])
    if numeric.sum() > MOST_NUMERIC:
        return None
    rows = _rows_of(table)
    scales = scales_of([column for column in columns if column.kind == "numeric"])
    total = np.zeros((len(scales.mean),) * 2)
    for cells in _parts(table, columns, rows):
        z = np.nan_to_num(scales.standardised(cells[:, numeric]))
        total += z.T @ z
    covariance = packed(total / rows)
    scorer, means = RowScorer(columns, covariance, is_left_out=True), np.zeros(len(columns))
    means[numeric] = scales.mean
    scores = np.concatenate([_left_out_scores(scorer, cells, rows, means) for cells in _parts(table, columns, rows)])
    return ReferenceNovelty(covariance, scores, _threshold(scores, quantile))


def _threshold(scores: FloatArray, quantile: float) -> float:
    return float(np.quantile(scores, quantile, method="inverted_cdf"))


def detector_rows(table: Table, columns: Sequence[ColumnBaseline]) -> FloatArray:
    """Return the rows of a table as a detector takes them, shape [rows, columns]."""
    rows = DetectorRows(columns, [column.name for column in columns])
    return np.concatenate([rows.of(cells) for cells in _parts(table, columns, _rows_of(table))])


def _rows_of(table: Table) -> int:
    data = next(iter(table.values()))
    return len(data.codes if isinstance(data, Categories) else data)


def _left_out_scores(scorer: RowScorer, cells: FloatArray, rows: int, means: FloatArray) -> FloatArray:
    distances = left_out(scorer.distances(np.where(np.isnan(cells), means, cells)), rows)
    return np.sqrt(distances + 2.0 * (scorer.surprise_of_gaps(cells) + scorer.surprise(cells)))


def left_out(squared: FloatArray, rows: int) -> FloatArray:
    """Return the squared distances of rows as if each had been left out of the covariance (Sherman-Morrison).

    Without it the distances of a small reference are too small, and too many rows like it are outliers.
    """
    others = max(rows - 1.0, 1.0)
    remaining = np.maximum(1.0 - squared / others, 1.0 / rows)
    found: FloatArray = rows / others * squared / remaining
    return found


def _parts(table: Table, columns: Sequence[ColumnBaseline], rows: int) -> Iterator[FloatArray]:
    """Yield the table's rows as a monitor observes them, each new to the reference, shape [some, columns]."""
    own = [_Cells(table[column.name], column) for column in columns]
    for first in range(0, rows, _ROWS_AT_ONCE):
        yield np.stack([cells.part(slice(first, first + _ROWS_AT_ONCE)) for cells in own], axis=1)


class _Cells:
    """The cells of one column of a table."""

    def __init__(self, data: FloatArray | Categories, column: ColumnBaseline) -> None:
        self._data = data
        self._codes = _left_out_codes(data, column.bins) if isinstance(data, Categories) else None

    def part(self, rows: slice) -> FloatArray:
        """Return some of them: numbers, or the codes of their bins."""
        if isinstance(self._data, Categories):
            assert self._codes is not None  # noqa: S101  # the codes of categories are known
            return self._codes[self._data.codes[rows]]
        return self._data[rows]


def _left_out_codes(data: Categories, bins: Bins) -> FloatArray:
    """Return the codes of categories, then that of a missing one; a rare one seen once would be new without its row."""
    codes = bins.encode((*data.names, None))
    if bins.tail_complete:
        once = np.bincount(data.codes[data.codes >= 0], minlength=len(codes)) == 1
        codes[once & (codes == bins.special[OTHER])] = bins.special[UNSEEN]
    return codes
