"""The statistics of a column of numbers, computed part by part for any cells."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.checks.moments import Moments
from driftgauge.checks.sagemaker.sketch import NumberSketch
from driftgauge.checks.sagemaker.statistics import (
    Common,
    FeatureStatistics,
    InferredType,
    NumberDistribution,
    NumberStatistics,
)
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import ColumnError
from driftgauge.tables.cells import as_numbers, codes_of, dictionary_of, is_missing, named, number_of, plain


class NumberProfile:
    """What is known of a column that should hold numbers."""

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.present = 0
        """Cells with a value, numbers or not."""
        self.missing = 0
        self.wrong = 0
        """Cells with a value that is no number."""
        self.fractional = 0
        """Numbers that are not whole."""
        self.negative = 0
        self.sketch: Final = NumberSketch()
        self._sums = Moments()

    def add(self, cells: pa.ChunkedArray) -> None:
        """Add the cells of some rows."""
        values, wrong = _numbers(cells, self.name)
        known = values[~np.isnan(values)]
        finite = known[np.isfinite(known)]
        self.wrong += wrong
        self.present += known.size + wrong
        self.missing += len(cells) - known.size - wrong
        self.fractional += int((finite != np.floor(finite)).sum())
        self.negative += int((known < 0.0).sum())
        self.sketch.add(finite)
        self._sums.add(finite)

    @property
    def inferred_type(self) -> InferredType:
        """The type of the numbers among the cells."""
        if self.present == self.wrong:
            return "Unknown"
        return "Fractional" if self.fractional else "Integral"

    def statistics(self) -> FeatureStatistics:
        """Return the statistics as SageMaker has them; a moment that is not finite is unknown."""
        sums = self._sums
        own = NumberStatistics(
            common=Common(num_present=self.present, num_missing=self.missing),
            mean=_known(sums.mean, sums),
            sum=_known(sums.sum, sums),
            std_dev=_known(sums.std, sums),
            min=_known(sums.low, sums),
            max=_known(sums.high, sums),
            distribution=NumberDistribution(kll=self.sketch.distribution()),
        )
        return FeatureStatistics(name=self.name, inferred_type=self.inferred_type, numerical_statistics=own)


def _known(value: float, of: Moments) -> float | None:
    """Return a moment; None without numbers, and where it is too large for a float."""
    return value if of.rows and math.isfinite(value) else None


def _numbers(cells: pa.ChunkedArray, name: str) -> tuple[FloatArray, int]:
    """Return cells as numbers, NaN where there is none, and how many cells hold something else."""
    try:
        return as_numbers(cells, name), 0
    except ColumnError:
        pass
    try:
        encoded = dictionary_of(plain(cells), name)
    except ColumnError:  # lists and similar
        return np.full(len(cells), math.nan), len(cells) - cells.null_count
    texts = [named(value) for value in encoded.dictionary.to_pylist()]
    numbers = [None if text is None else number_of(text) for text in texts]
    wrong = [
        found is None and text is not None and not is_missing(text) for text, found in zip(texts, numbers, strict=True)
    ]
    codes = codes_of(encoded)
    values = np.array([*(math.nan if found is None else found for found in numbers), math.nan], dtype=np.float64)
    return values[codes], int(np.array([*wrong, False])[codes].sum())
