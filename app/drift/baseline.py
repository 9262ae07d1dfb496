"""The baseline: what is kept of the reference, column by column, for as long as the model serves."""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from app.drift.bins import (
    ABOVE,
    BELOW,
    MISSING,
    Binner,
    Bins,
    BoolArray,
    CodeArray,
    FloatArray,
    IntArray,
    fit_categorical,
    fit_numeric,
    reference_counts,
)
from app.drift.correlation import CorrelationComparison, Correlations, NormalScores
from app.drift.samples import ReferenceSample, SampleComparison, Scales, describe
from app.drift.significance import SignificanceTest
from app.drift.statistics import Folding, Psi, ZeroBin, psi, psi_clip, special_codes
from app.drift.variation import natural_variation

SCHEMA_VERSION: Final = 2
QUANTILES: Final = 512
_ROWS_AT_ONCE: Final = 65_536
WINDOW_SIZES: Final = (500, 1_000, 2_000, 5_000, 10_000)
PREDICTION: Final = "prediction"
PREDICTION_CLASS: Final = "prediction_class"
RESERVED: Final = (PREDICTION, PREDICTION_CLASS)

Kind = Literal["numeric", "categorical"]


class BaselineError(ValueError):
    """A baseline that cannot be read or built; the message says what to do."""


@dataclass(frozen=True)
class Categories:
    """A categorical column of a table: `codes` (shape [m]) index `names`; -1 is missing."""

    codes: IntArray
    names: tuple[str, ...]


Table = Mapping[str, FloatArray | Categories]
"""Columns of equal length: float64 with NaN for missing, or categories."""


@dataclass(frozen=True, eq=False)
class ColumnBaseline:
    """What is kept of one column of the reference."""

    name: str
    kind: Kind
    rows: int
    """m, the column's reference rows, missing ones included."""
    bins: Bins
    counts: tuple[float, ...]
    """Reference rows in each bin, `unseen` as Good and Turing estimate it; shape [len(bins.names)]."""
    mean: float = math.nan
    std: float = math.nan
    min: float = math.nan
    max: float = math.nan
    quantiles: tuple[float, ...] = ()
    """Quantiles of the finite values at the middles of 512 equal shares, or the values themselves where
    they are fewer: a sample that stands for the reference. Empty where there are none."""
    natural_variation: Mapping[int, float] = field(default_factory=dict)
    """Largest `psi_debiased` over the reference's own windows, by window size; empty without times."""
    in_sample: bool = False
    """True for scores of the rows that the model was fitted on: they are never judged."""

    def __eq__(self, other: object) -> bool:
        # By content: a moment that is not known equals one that is not known, which NaN does not.
        return isinstance(other, ColumnBaseline) and _column_content(self) == _column_content(other)

    def __hash__(self) -> int:
        return hash((self.name, self.rows, self.counts))


@dataclass(frozen=True)
class CorrelationTable:
    """How the reference's numeric columns go together: each pair once, (0, 1), (0, 2), … (1, 2), …"""

    columns: tuple[str, ...]
    values: tuple[float, ...]
    """Correlations of normal scores, to six decimals; 0 where the pair has none."""
    rows: tuple[int, ...]
    """Rows that each comes from, 0 where the pair has none; one number where all are the same."""

    @classmethod
    def of(cls, columns: tuple[str, ...], found: Correlations) -> CorrelationTable:
        """Keep what was found of these columns."""
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


@dataclass(frozen=True)
class Baseline:
    """The saved artifact that a monitor compares with."""

    columns: tuple[ColumnBaseline, ...]
    rows: int
    """Rows of the reference table."""
    created: str
    """RFC 3339, UTC."""
    time_column: str | None = None
    """The column that put the reference in order; without one no natural variation is known."""
    zero_bin: ZeroBin = "jeffreys"
    """The formula that the natural variation was computed with."""
    correlations: CorrelationTable = NO_CORRELATIONS
    """Of the columns that came in one table; scores from another table are not among them."""
    schema_version: int = SCHEMA_VERSION

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names, features first, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all but the date of creation, by which a baseline is told from another."""
        content = {**_content(self), "created": None}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def binner(self) -> Binner:
        """The baseline's bins, ready to count rows."""
        return Binner(self.bins)

    @cached_property
    def counts(self) -> FloatArray:
        """Reference rows in each bin, shape [columns, K], zero beyond a column's own bins."""
        padded = np.zeros((len(self.columns), self.binner.width))
        for row, column in enumerate(self.columns):
            padded[row, : len(column.counts)] = column.counts
        return padded

    @cached_property
    def bins(self) -> tuple[Bins, ...]:
        """The columns' bins, in order."""
        return tuple(column.bins for column in self.columns)

    @cached_property
    def special_codes(self) -> dict[str, IntArray]:
        """The code of each special bin in every column, shape [columns]; -1 where there is none."""
        return special_codes(self.bins)

    @cached_property
    def numeric(self) -> BoolArray:
        """Which columns hold numbers, shape [columns]."""
        return np.array([column.kind == "numeric" for column in self.columns])

    @cached_property
    def in_sample(self) -> BoolArray:
        """Which columns are scores of the training rows, shape [columns]."""
        return np.array([column.in_sample for column in self.columns])

    @cached_property
    def _variation_sizes(self) -> list[int]:
        return sorted({size for column in self.columns for size in column.natural_variation})

    @cached_property
    def _variations(self) -> FloatArray:
        """Natural variation, shape [sizes, columns]; a size that a column lacks has its next smaller one."""
        variations = [column.natural_variation for column in self.columns]
        known = [[_nearest(variation, size) for variation in variations] for size in self._variation_sizes]
        return np.array(known or [[0.0] * len(self.columns)])

    def natural_variation(self, rows: int) -> FloatArray:
        """Return the natural variation of windows of so many rows, shape [columns]; 0 where unknown.

        It is known for some sizes: the largest not above `rows` is taken (a smaller window varies
        more), or the smallest.
        """
        variation: FloatArray = self._variations[max(0, bisect_right(self._variation_sizes, rows) - 1)]
        return variation

    @cached_property
    def _folding(self) -> Folding:
        return Folding(self.bins)

    def psi(self, counts: FloatArray | IntArray) -> Psi:
        """Compare counts, shape [..., columns, K], with the reference by the baseline's own formula."""
        current = counts.astype(np.float64)
        if self.zero_bin == "jeffreys":
            return psi(current, self.counts)
        return psi_clip(self._folding(current), self._folding(self.counts))

    @cached_property
    def significance(self) -> SignificanceTest:
        """The test whether counts can come from the reference's distribution."""
        return SignificanceTest(self.bins, self.counts)

    @cached_property
    def scales(self) -> Scales:
        """What values are standardised with."""
        low, high = self.numbers("min"), self.numbers("max")
        return Scales.of(self.numbers("mean"), self.numbers("std"), low, high, self.numeric)

    @cached_property
    def sample_comparison(self) -> SampleComparison:
        """What compares raw rows with the reference."""
        known = np.array([max(1.0, c.rows - c.counts[c.bins.special[MISSING]]) for c in self.columns])
        below, above = (
            np.array([c.counts[c.bins.special[end]] if end in c.bins.special else 0.0 for c in self.columns]) / known
            for end in (BELOW, ABOVE)
        )
        quantiles = [column.quantiles for column in self.columns]
        return SampleComparison(ReferenceSample.of(quantiles, below, above, self.numeric), self.scales)

    @cached_property
    def normal_scores(self) -> NormalScores:
        """What correlates rows given as codes."""
        taken = np.isin(self.names, self.correlations.columns)
        return NormalScores(self.bins, self.counts, taken)

    @cached_property
    def correlation_comparison(self) -> CorrelationComparison:
        """What compares correlations with the reference's."""
        return CorrelationComparison(self.normal_scores.columns, len(self.columns), self.correlations.correlations())

    def numbers(self, name: Literal["mean", "std", "min", "max"]) -> FloatArray:
        """Return one reference moment of every column, shape [columns]; NaN for categories."""
        return np.array([getattr(column, name) for column in self.columns], dtype=np.float64)


def build_baseline(
    table: Table,
    *,
    created: str,
    ordered_by: str | None = None,
    window_sizes: Sequence[int] = WINDOW_SIZES,
    natural_variation_quantile: float = 1.0,
    zero_bin: ZeroBin = "jeffreys",
) -> Baseline:
    """Compute the baseline of a table whose rows are in order of time if `ordered_by` names a column.

    Raises BaselineError for a table without columns or rows.
    """
    if not table:
        raise BaselineError("the reference has no columns: name at least one feature")
    columns, cells = zip(*(_column(name, data) for name, data in table.items()), strict=True)
    rows = columns[0].rows
    uneven = [column.name for column in columns if column.rows != rows]
    if uneven:
        raise BaselineError(
            f"{', '.join(uneven)}: not as many rows as {columns[0].name}; a table's columns are as long"
        )
    if rows == 0:
        raise BaselineError("the reference has no rows: a baseline needs at least one")
    baseline = Baseline(columns, rows=rows, created=created, time_column=ordered_by, zero_bin=zero_bin)
    codes = _codes(baseline.binner, cells)
    baseline = _with_correlations(baseline, codes)
    if ordered_by is None:
        return baseline
    found = natural_variation(baseline.binner, codes, baseline.psi, window_sizes, natural_variation_quantile)
    varying = (
        replace(column, natural_variation={size: float(values[i]) for size, values in found.items()})
        for i, column in enumerate(columns)
    )
    return replace(baseline, columns=tuple(varying))


def _codes(binner: Binner, cells: Sequence[FloatArray]) -> CodeArray:
    """Return the codes of a table's rows, shape [rows, columns], some rows after the other."""
    starts = range(0, len(cells[0]), _ROWS_AT_ONCE)
    parts = (np.stack([own[first : first + _ROWS_AT_ONCE] for own in cells], axis=1) for first in starts)
    return np.concatenate([binner.codes(part) for part in parts])


def _with_correlations(baseline: Baseline, codes: CodeArray) -> Baseline:
    names = tuple(column.name for column in baseline.columns if column.kind == "numeric")
    if len(names) < 2:
        return baseline
    scores = NormalScores(baseline.bins, baseline.counts, baseline.numeric)
    parts = (codes[first : first + _ROWS_AT_ONCE] for first in range(0, len(codes), _ROWS_AT_ONCE))
    return replace(baseline, correlations=CorrelationTable.of(names, scores.accumulated(parts)))


def _nearest(variation: Mapping[int, float], size: int) -> float:
    if not variation:
        return 0.0
    return variation[max((known for known in variation if known <= size), default=min(variation))]


def joined(first: Baseline, second: Baseline, *, in_sample: bool = False) -> Baseline:
    """Return `first` with the columns of `second` (the scores), built with the same formula, behind its own."""
    if first.zero_bin != second.zero_bin:
        raise BaselineError(f"the features were compared by {first.zero_bin}, the scores by {second.zero_bin}")
    scores = tuple(replace(column, in_sample=in_sample) for column in second.columns)
    return replace(first, columns=first.columns + scores)


def _column(name: str, data: FloatArray | Categories) -> tuple[ColumnBaseline, FloatArray]:
    """Return the baseline of one column without its variation, and its cells as a monitor sees them."""
    if isinstance(data, Categories):
        return _categorical(name, data)
    bins = fit_numeric(data)
    values = describe(data)
    counts = _counts(bins, data)
    singletons = int((counts[bins.ordinary] == 1).sum()) if bins.rule == "value" else 0
    return ColumnBaseline(
        name=name,
        kind="numeric",
        rows=len(data),
        bins=bins,
        counts=tuple(reference_counts(bins, counts, singletons).tolist()),
        mean=values.mean,
        std=values.std,
        min=values.min,
        max=values.max,
        quantiles=tuple(reference_quantiles(data).tolist()),
    ), data


def reference_quantiles(values: FloatArray) -> FloatArray:
    """Return the quantiles of the finite values at the middles of 512 equal shares (Hazen's definition).

    Of at most 512 values they are the values themselves, in order.
    """
    finite = np.sort(values[np.isfinite(values)])
    if finite.size <= QUANTILES:
        return finite
    with np.errstate(over="ignore"):
        # Halved where the distance between two numbers would overflow; the smallest have no half.
        unit = 2.0 if np.isinf(finite[-1] - finite[0]) else 1.0
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    found: FloatArray = unit * np.quantile(finite / unit, levels, method="hazen")
    return found


def _categorical(name: str, data: Categories) -> tuple[ColumnBaseline, FloatArray]:
    rows = np.bincount(data.codes[data.codes >= 0], minlength=len(data.names))
    present = [(int(count), category) for count, category in zip(rows, data.names, strict=True) if count]
    bins = fit_categorical([count for count, _ in present], [category for _, category in present], len(data.codes))
    cells: FloatArray = np.append(bins.encode(data.names), np.nan)[data.codes]
    return ColumnBaseline(
        name=name,
        kind="categorical",
        rows=len(data.codes),
        bins=bins,
        counts=tuple(reference_counts(bins, _counts(bins, cells), int((rows == 1).sum())).tolist()),
    ), cells


def _counts(bins: Bins, cells: FloatArray) -> IntArray:
    binner = Binner([bins])
    counts: IntArray = binner.counts(binner.codes(cells[:, None]))[0]
    return counts


# ---------------------------------------------------------------- as text


def dumps(baseline: Baseline) -> str:
    """Return the baseline as JSON text, its hash included."""
    return json.dumps({**_content(baseline), "hash": baseline.hash}, indent=1) + "\n"


def loads(text: str) -> Baseline:
    """Read a baseline back; raises BaselineError saying what is wrong and what to do."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BaselineError(
            f"the baseline is not complete JSON ({error}); it may be truncated: build or copy it again"
        ) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise BaselineError(
            f"the baseline has schema version {version!r}, this Driftgauge reads {SCHEMA_VERSION}: "
            "build it again with `driftgauge baseline build` or `driftgauge bundle create`"
        )
    stated = content.pop("hash", None)
    try:
        baseline = _from_content(content)
        found = baseline.hash
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BaselineError(f"the baseline is malformed ({error!r}): build it again") from error
    if stated != found:
        raise BaselineError("the baseline's content does not match its hash: it was edited or damaged; build it again")
    return baseline


def _content(baseline: Baseline) -> dict[str, Any]:
    return {
        "schema_version": baseline.schema_version,
        "created": baseline.created,
        "rows": baseline.rows,
        "time_column": baseline.time_column,
        "zero_bin": baseline.zero_bin,
        "correlations": {key: list(value) for key, value in vars(baseline.correlations).items()},
        "columns": [_column_content(column) for column in baseline.columns],
    }


def _column_content(column: ColumnBaseline) -> dict[str, Any]:
    content = {key: _plain(value) for key, value in asdict(column).items()}
    content["bins"] = {
        "rule": column.bins.rule,
        "edges": list(column.bins.edges),
        "categories": list(column.bins.categories),
        "tail": sorted(column.bins.tail),
        "tail_complete": column.bins.tail_complete,
        "near_cut": column.bins.near_cut,
    }
    content["natural_variation"] = {str(size): value for size, value in column.natural_variation.items()}
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    return list(value) if isinstance(value, tuple) else value


def _from_content(content: Mapping[str, Any]) -> Baseline:
    found = {key: tuple(value) for key, value in content["correlations"].items()}
    columns = tuple(_column_from(column) for column in content["columns"])
    return Baseline(**{**content, "columns": columns, "correlations": CorrelationTable(**found)})


def _column_from(content: Mapping[str, Any]) -> ColumnBaseline:
    bins = content["bins"]
    known = Bins(
        rule=bins["rule"],
        edges=tuple(map(float, bins["edges"])),
        categories=tuple(bins["categories"]),
        tail=frozenset(bins["tail"]),
        tail_complete=bins["tail_complete"],
        near_cut=int(bins["near_cut"]),
    )
    if len(content["counts"]) != len(known.names):
        raise ValueError(f"{content['name']}: {len(content['counts'])} counts for {len(known.names)} bins")
    numbers = {key: math.nan if content[key] is None else float(content[key]) for key in ("mean", "std", "min", "max")}
    variation = {int(size): float(value) for size, value in content["natural_variation"].items()}
    rest = {
        "bins": known,
        "counts": tuple(map(float, content["counts"])),
        "quantiles": tuple(map(float, content["quantiles"])),
        "natural_variation": variation,
    }
    return ColumnBaseline(**{**content, **numbers, **rest})
