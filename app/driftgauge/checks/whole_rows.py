"""Whole rows of a check's windows against a table of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from driftgauge.checks.row_drawer import sample_of
from driftgauge.checks.rows import RowReader
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.report import MOST_ROWS, MultivariateReport, compare_rows
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.windows.window import Window
from driftgauge.tables.memory import open_table

SEED: Final = 0
"""Of the rows that are drawn, so that a check says the same each time."""


@dataclass(frozen=True, eq=False)
class WholeRows:
    """Rows of the reference to compare with."""

    baseline: Baseline
    """That of the features."""
    reference: FloatArray
    """At most `MOST_ROWS` rows, shape [rows, features]."""
    taken: tuple[int, ...]
    """Positions of the features among the columns of a window."""

    @classmethod
    def read(cls, table: Any, compared: Baseline, baseline: Baseline, bytes_at_once: int) -> WholeRows:
        """Read a uniform sample of a table of the reference. Raises TableError.

        `compared` is the baseline of the windows, `baseline` that of their features.
        """
        held = sample_of(open_table(table, bytes_at_once), RowReader(baseline, None, None), MOST_ROWS)
        return cls(baseline, held, tuple(compared.names.index(name) for name in baseline.names))

    @classmethod
    def of_sample(cls, sample: RowSample, compared: Baseline, baseline: Baseline) -> WholeRows:
        """Compare with rows that were kept of the reference; see `read`."""
        return cls(baseline, sample.values(baseline), tuple(compared.names.index(name) for name in baseline.names))

    def compare(self, window: Window) -> MultivariateReport:
        """Compare the rows of a window that are held."""
        rows = np.empty((0, len(self.taken))) if window.sample is None else window.sample.values[:, self.taken]
        return compare_rows(self.baseline, self.reference, rows, np.random.default_rng(SEED))


def features_of(baseline: Baseline) -> list[str]:
    """Return the columns of whole rows: all but the scores of the model."""
    return [name for name in baseline.names if name not in RESERVED]
