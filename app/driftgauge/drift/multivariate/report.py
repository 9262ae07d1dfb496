"""Whole rows of a window against a sample of the reference's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.classifier import FEWEST_ROWS, Separation, separation
from driftgauge.drift.multivariate.components import Reconstruction, reconstruction
from driftgauge.drift.multivariate.encoding import encoded
from driftgauge.drift.reference.baseline import RESERVED, Baseline

MOST_ROWS: Final = 2_000
"""Rows of each side that are compared; of more, as many drawn at random."""


@dataclass(frozen=True)
class MultivariateReport:
    """How whole rows differ. It has no budget of false alarms, and is no part of a verdict."""

    reference_rows: int
    rows: int
    """Rows that were compared, at most `MOST_ROWS`."""
    separation: Separation | None
    """None with fewer than `FEWEST_ROWS` rows on a side, or no column to compare."""
    columns: tuple[tuple[str, float], ...]
    """Columns that tell the sides apart, and how much smaller the AUC is without each, the largest first."""
    reconstruction: Reconstruction | None
    """None as above, or where fewer than two numbers vary."""
    reason: str
    """In one sentence."""

    @property
    def is_significant(self) -> bool:
        """Whether chance alone does not explain one of the two."""
        return any(own is not None and own.is_significant for own in (self.separation, self.reconstruction))


def compare_rows(
    baseline: Baseline, reference: FloatArray, current: FloatArray, rng: np.random.Generator
) -> MultivariateReport:
    """Compare rows, shapes [n, columns of the baseline], as a monitor has them, NaN where they have no value.

    Scores of the model are left out, and so are columns without a value in the reference's rows.
    """
    sides = [_drawn(side, rng) for side in (reference, current)]
    columns = [
        index
        for index, name in enumerate(baseline.names)
        if name not in RESERVED and not np.isnan(sides[0][:, index]).all()
    ]
    if min(len(side) for side in sides) < FEWEST_ROWS or not columns:
        said = f"not enough data: {len(sides[1])} rows and {len(sides[0])} of the reference, {FEWEST_ROWS} are needed"
        return MultivariateReport(len(sides[0]), len(sides[1]), None, (), None, said)
    together = np.concatenate(sides)
    rows = encoded(baseline, baseline.binner.codes(together).astype(np.int64), together, columns)
    m = len(sides[0])
    found = separation(rows, np.arange(len(together)) >= m, rng)
    rebuilt = reconstruction(rows.values[:m], rows.values[m:], rng)
    named = tuple((baseline.names[columns[place]], loss) for place, loss in found.columns)
    return MultivariateReport(m, len(sides[1]), found, named, rebuilt, _reason(found, rebuilt, named))


def _drawn(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the rows, or a random sample of them if they are more."""
    return rows if len(rows) <= MOST_ROWS else rows[np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))]


def _reason(found: Separation, rebuilt: Reconstruction | None, named: tuple[tuple[str, float], ...]) -> str:
    auc = f"AUC {found.auc:.2f} (95 %: {found.low:.2f} to {found.high:.2f})"
    if found.is_significant:
        by = f", by {', '.join(name for name, _ in named)}" if named else ""
        return f"a classifier can tell the rows from the reference's{by}: {auc}"
    if rebuilt is not None and rebuilt.is_significant:
        return (
            "columns do not go together as in the reference: the reconstruction error has moved by "
            f"{rebuilt.shift:+.2f} standard deviations (95 %: {rebuilt.low:+.2f} to {rebuilt.high:+.2f})"
        )
    return f"a classifier cannot tell the rows from the reference's: {auc}"
