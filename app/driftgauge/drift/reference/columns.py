"""What is kept of the reference's columns and of their correlations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

import numpy as np

from driftgauge.drift.bins import Bins, FloatArray, IntArray
from driftgauge.drift.statistics.correlation import Correlations

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Categories:
    """A categorical column of a table: `codes` (shape [m]) index `names`; -1 is missing."""

    codes: IntArray
    names: tuple[str, ...]


Table = Mapping[str, FloatArray | Categories]
"""Columns of equal length: float64 with NaN for missing, or categories."""


@dataclass(frozen=True, eq=False, repr=False)
class ColumnBaseline:
    """What is kept of one column of the reference."""

    name: str
    kind: Kind
    rows: int
    """m, the column's reference rows, missing ones included."""
    bins: Bins
    counts: tuple[float, ...]
    """Reference rows in each bin, `unseen` by the Good-Turing estimate; shape [len(bins.names)]."""
    mean: float = math.nan
    std: float = math.nan
    min: float = math.nan
    max: float = math.nan
    quantiles: tuple[float, ...] = ()
    """Quantiles of the finite values at the middles of 512 equal shares, or the values themselves if they are fewer.
    Empty without finite values."""
    expected_range: Mapping[int, float] = field(default_factory=dict)
    """Largest `psi_debiased` of the reference's own windows, by window size; empty without times."""
    expected_sizes: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Expected ranges of other statistics than PSI, by name and window size; those that were asked for."""
    tau: float | None = None
    """Autocorrelation time: consecutive rows that carry the information of one independent row. None without times."""
    trending: bool = False
    """Whether a trend or season in the reference causes most of `tau`."""
    expected_live_tau: float | None = None
    """The largest tau of live rows that the reference accounts for (see `reference.dependence`).

    None without times, and by hour of the day."""
    by_hour: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    """Reference rows in each bin by hour of the day (UTC), as `counts`; empty unless compared by hour."""
    in_sample: bool = False
    """True for scores of the model's own training rows; they have no verdict."""
    of_text: bool = False
    """Whether the column is free text: its values are then numbers of characters."""
    quantile_error: float = 0.0
    """Share of the finite values that a quantile or an edge of a bin is at most away from its rank; 0 if exact."""

    def __repr__(self) -> str:
        return f"<ColumnBaseline {self.name}: {self.kind}, {len(self.counts)} bins of {self.rows:,} rows>"

    def __eq__(self, other: object) -> bool:
        # By content: two unknown moments are equal, which NaN is not.
        return isinstance(other, ColumnBaseline) and column_content(self) == column_content(other)

    def __hash__(self) -> int:
        return hash((self.name, self.rows, self.counts))


@dataclass(frozen=True)
class CorrelationTable:
    """Correlations of the reference's numeric columns, each pair once: (0, 1), (0, 2), … (1, 2), …"""

    columns: tuple[str, ...]
    values: tuple[float, ...]
    """Correlations of normal scores, to six decimals; 0 where the pair has none."""
    rows: tuple[int, ...]
    """Rows behind each, 0 where the pair has none; a single number if all are the same."""

    @classmethod
    def of(cls, columns: tuple[str, ...], found: Correlations) -> CorrelationTable:
        """Return the table of these columns' correlations."""
        pairs = np.triu_indices(len(columns), k=1)
        unknown = np.isnan(found.values[pairs])
        values = np.where(unknown, 0.0, np.round(found.values[pairs], 6))
        rows = np.where(unknown, 0.0, found.rows[pairs]).astype(np.int64).tolist()
        same = len(set(rows)) == 1
        return cls(columns, tuple(values.tolist()), tuple(rows[:1] if same else rows))

    def correlations(self) -> Correlations:
        """Return the correlations as matrices, shapes [columns, columns]."""
        size = len(self.columns)
        pairs = np.triu_indices(size, k=1)
        values, rows = np.full((size, size), np.nan), np.zeros((size, size))
        counted = np.array(self.rows if len(self.rows) != 1 else self.rows * len(self.values), dtype=np.float64)
        values[pairs] = np.where(counted > 0, self.values, np.nan)
        rows[pairs] = counted
        return Correlations(np.fmax(values, values.T), rows + rows.T)


NO_CORRELATIONS: Final = CorrelationTable((), (), ())


def column_content(column: ColumnBaseline) -> dict[str, Any]:
    """Return the column as JSON has it."""
    content = {field.name: _plain(getattr(column, field.name)) for field in fields(column)}
    content["bins"] = {
        "rule": column.bins.rule,
        "edges": list(column.bins.edges),
        "categories": list(column.bins.categories),
        "tail": sorted(column.bins.tail),
        "tail_complete": column.bins.tail_complete,
        "near_cut": column.bins.near_cut,
    }
    content["by_hour"] = {str(hour): list(counts) for hour, counts in column.by_hour.items()}
    if not column.of_text:  # which earlier versions do not know, and do not expect in the hash
        del content["of_text"]
    if not column.quantile_error:  # as above
        del content["quantile_error"]
    if column.expected_live_tau is None:  # as above
        del content["expected_live_tau"]
    sizes = content.pop("expected_sizes")
    if sizes:  # as above
        content["expected_sizes"] = {
            name: {str(size): value for size, value in known.items()} for name, known in sizes.items()
        }
    content["natural_variation"] = {str(size): value for size, value in content.pop("expected_range").items()}
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    return list(value) if isinstance(value, tuple) else value
