"""Reading a baseline's JSON: a schema checks it before anything is computed from it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from driftgauge.about import NOTHING, About
from driftgauge.common.schema_errors import display, explain
from driftgauge.drift.bins import MAX_TAIL, MISSING, Bins, Rule
from driftgauge.drift.novelty.novelty import MAHALANOBIS, OUTLIER, OUTLIER_BINS, Detector, Novelty
from driftgauge.drift.reference.baseline import SCHEMA_VERSION, Baseline
from driftgauge.drift.reference.build import QUANTILES
from driftgauge.drift.reference.columns import ColumnBaseline, CorrelationTable, Kind
from driftgauge.drift.statistics.psi import ZeroBin
from driftgauge.drift.verdict.policy import Statistic
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.errors import BaselineError

MOST_BYTES: Final = 256 << 20
"""Largest baseline file that is read: a few thousand columns."""
MOST_BRACKETS: Final = 1_000_000
"""Most lists and objects in it. A column has at most fifty; in memory an empty one takes twenty times its text."""
MOST_ROWS: Final = 1 << 53
_MOST_BINS: Final = 256
_MOST_TAU: Final = 1e12
_SLACK: Final = 1e-6
"""Rounding error allowed for a mean between its column's ends, relative to them."""


def _require(true: bool, sentence: str) -> None:
    if not true:
        raise ValueError(sentence)


def _is_unicode(text: str) -> str:
    _require(not any("\ud800" <= sign <= "\udfff" for sign in text), "half a surrogate pair is not text")
    return text


_Text = Annotated[str, StringConstraints(strict=True), AfterValidator(_is_unicode)]
_Flag = Annotated[bool, Field(strict=True)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Rows = Annotated[int, Field(strict=True, ge=1, le=MOST_ROWS)]
_Count = Annotated[_Number, Field(ge=0.0, le=float(MOST_ROWS))]
_Whole = Annotated[int, Field(strict=True, ge=0, le=MOST_ROWS)]
_Digits = Annotated[str, StringConstraints(strict=True, pattern=r"^(0|[1-9][0-9]{0,15})$")]
_Hash = Annotated[int, Field(strict=True, ge=0, lt=1 << 64)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _BinsText(_Part):
    rule: Rule
    edges: tuple[Annotated[float, Field(strict=True)], ...]
    categories: tuple[_Text, ...]
    tail: Annotated[tuple[_Hash, ...], Field(max_length=MAX_TAIL)]
    tail_complete: _Flag
    near_cut: _Whole

    @model_validator(mode="after")
    def _is_possible(self) -> _BinsText:
        if self.rule == "category":
            _require(not self.edges, "categories have no edges")
            _require(len(set(self.categories)) == len(self.categories), "a category is named twice")
            _require(len(set(self.tail)) == len(self.tail), "the tail names a category twice")
            _require(self.tail_complete or not self.tail, "an incomplete tail holds categories")
        else:
            _require(not (self.categories or self.tail), "numbers have no categories")
            _require(len(self.edges) > 1 or self.rule == "value", "an interval takes two edges")
            # Below the lowest number there is only -inf.
            finite = self.edges[1:] if self.rule == "interval" and self.edges[0] == -math.inf else self.edges
            _require(all(map(math.isfinite, finite)), "the edges are not all finite")
            _require(all(low < high for low, high in pairwise(self.edges)), "the edges do not ascend")
        _require(len(self.edges) + len(self.categories) <= _MOST_BINS - 4, f"more than {_MOST_BINS} bins")
        return self

    def built(self) -> Bins:
        return Bins(self.rule, self.edges, self.categories, frozenset(self.tail), self.tail_complete, self.near_cut)


class _ColumnText(_Part):
    name: _Text
    kind: Kind
    rows: _Rows
    bins: _BinsText
    counts: tuple[_Count, ...]
    mean: _Number | None
    std: Annotated[_Number, Field(ge=0.0)] | None
    min: _Number | None
    max: _Number | None
    quantiles: Annotated[tuple[_Number, ...], Field(max_length=QUANTILES)]
    natural_variation: dict[_Digits, Annotated[_Number, Field(ge=0.0)]]
    tau: Annotated[_Number, Field(ge=1.0, le=_MOST_TAU)] | None
    trending: _Flag
    by_hour: dict[_Digits, tuple[_Count, ...]]
    in_sample: _Flag
    of_text: _Flag = False
    expected_live_tau: Annotated[_Number, Field(ge=1.0)] | None = None
    expected_sizes: dict[Statistic, dict[_Digits, Annotated[_Number, Field(ge=0.0)]]] = {}
    quantile_error: Annotated[_Number, Field(ge=0.0, le=1.0)] = 0.0

    @model_validator(mode="after")
    def _is_possible(self) -> _ColumnText:
        _require((self.kind == "numeric") == (self.bins.rule != "category"), f"{self.bins.rule} bins of {self.kind}")
        self._counts_fit(self.bins.built())
        self._moments_fit()
        measured = (self.natural_variation, *self.expected_sizes.values())
        _require(all("0" not in known for known in measured), "an expected range of windows without rows")
        return self

    def _counts_fit(self, bins: Bins) -> None:
        names = len(bins.names)
        _require(len(set(bins.names)) == names, "two bins have the same name")
        _require(len(self.counts) == names, f"{len(self.counts)} counts for {names} bins")
        # The expected count of `unseen` comes on top: at most every row once more. In a column without any number
        # or category, infinite values are not counted.
        least = self.rows - 0.5 if bins.edges or bins.categories or bins.tail else 0.0
        _require(least <= sum(self.counts) <= 2.0 * self.rows + 0.5, "the counts do not add up to its rows")
        _require(self.counts[bins.special[MISSING]] <= self.rows, "more rows are missing than the column has")
        for hour, counts in self.by_hour.items():
            _require(int(hour) < HOURS, f"hours of the day are 0 to 23, not {hour}")
            _require(len(counts) == names, f"{len(counts)} counts for {names} bins in the hour {hour}")
            _require(0.0 < sum(counts) <= 2.0 * self.rows + 0.5, f"the counts of the hour {hour} do not fit its rows")

    def _moments_fit(self) -> None:
        ends = (self.min, self.max, self.mean, self.std)
        if self.min is None or self.max is None or self.mean is None or self.std is None:
            _require(all(end is None for end in ends), "only some of mean, std, min and max are known")
            _require(not self.quantiles, "quantiles of a column without numbers")
            return
        _require(self.kind == "numeric", "mean, std, min and max of a categorical column")
        _require(self.min <= self.max, "min lies above max")
        slack = _SLACK * max(abs(self.min), abs(self.max))
        _require(self.min - slack <= self.mean <= self.max + slack, "the mean does not lie between min and max")
        spread = self.max / 2.0 - self.min / 2.0
        _require(self.std <= 2.0 * (spread + slack), "std is larger than the range of the values")
        _require(self.std > 0.0 or spread <= max(slack, 1e-150), "std is 0, but the values differ")
        _require(bool(self.quantiles), "a column of numbers without quantiles")
        _require(all(low <= high for low, high in pairwise(self.quantiles)), "the quantiles do not ascend")
        inside = self.min <= self.quantiles[0] and self.quantiles[-1] <= self.max
        _require(inside, "the quantiles do not lie between min and max")

    def built(self) -> ColumnBaseline:
        numbers = {key: getattr(self, key) for key in ("mean", "std", "min", "max")}
        return ColumnBaseline(
            name=self.name,
            kind=self.kind,
            rows=self.rows,
            bins=self.bins.built(),
            counts=self.counts,
            quantiles=self.quantiles,
            expected_range={int(size): value for size, value in self.natural_variation.items()},
            expected_sizes={
                name: {int(size): value for size, value in known.items()} for name, known in self.expected_sizes.items()
            },
            tau=self.tau,
            trending=self.trending,
            expected_live_tau=self.expected_live_tau,
            by_hour={int(hour): counts for hour, counts in self.by_hour.items()},
            in_sample=self.in_sample,
            of_text=self.of_text,
            quantile_error=self.quantile_error,
            **{key: math.nan if value is None else value for key, value in numbers.items()},
        )


class _CorrelationsText(_Part):
    columns: tuple[_Text, ...]
    values: tuple[Annotated[_Number, Field(ge=-1.0, le=1.0)], ...]
    rows: tuple[_Whole, ...]

    @model_validator(mode="after")
    def _is_possible(self) -> _CorrelationsText:
        pairs = len(self.columns) * (len(self.columns) - 1) // 2
        _require(len(self.values) == pairs, f"{len(self.values)} values for {pairs} pairs of columns")
        _require(
            len(self.rows) in ({1, pairs} if pairs else {0}), f"{len(self.rows)} numbers of rows for {pairs} pairs"
        )
        return self


class _NoveltyText(_Part):
    features: Annotated[tuple[_Text, ...], Field(min_length=1)]
    covariance: tuple[_Number, ...]
    threshold: Annotated[_Number, Field(ge=0.0)]
    quantile: Annotated[_Number, Field(ge=0.0, le=1.0)]
    column: _ColumnText
    detector: Detector = MAHALANOBIS

    @model_validator(mode="after")
    def _is_possible(self) -> _NoveltyText:
        _require_unique(self.features)
        _require(self.column.name == OUTLIER, f"the column of outliers is not named {OUTLIER}")
        _require(self.column.bins.built() == OUTLIER_BINS, "the column of outliers has other bins")
        return self

    def fits(self, columns: Sequence[_ColumnText]) -> None:
        known = {column.name: column.kind for column in columns}
        in_order = [column.name for column in columns if column.name in set(self.features)]
        _require(list(self.features) == in_order, "the scored features are not the baseline's columns, in order")
        numeric = sum(known[name] == "numeric" for name in self.features)
        pairs = numeric * (numeric + 1) // 2
        _require(len(self.covariance) == pairs, f"{len(self.covariance)} covariances for {numeric} numeric columns")

    def built(self) -> Novelty:
        built = self.column.built()
        return Novelty(self.features, self.covariance, self.threshold, self.quantile, built, self.detector)


class _BaselineText(_Part):
    schema_version: int
    created: Annotated[_Text, StringConstraints(max_length=100)]
    rows: _Rows
    time_column: _Text | None
    zero_bin: ZeroBin
    correlations: _CorrelationsText
    columns: Annotated[tuple[_ColumnText, ...], Field(min_length=1)]
    about: About = NOTHING
    novelty: _NoveltyText | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> _BaselineText:
        names = [column.name for column in self.columns]
        _require_unique(names)
        if self.novelty is not None:
            _require(OUTLIER not in names, f"two columns are named {OUTLIER}")
            self.novelty.fits(self.columns)
        numeric = [column.name for column in self.columns if column.kind == "numeric"]
        named = set(self.correlations.columns)
        ordered = [name for name in numeric if name in named]
        _require(
            list(self.correlations.columns) == ordered,
            "the correlations do not name the numeric columns once each, in order",
        )
        return self

    def built(self) -> Baseline:
        return Baseline(
            columns=tuple(column.built() for column in self.columns),
            rows=self.rows,
            created=self.created,
            time_column=self.time_column,
            zero_bin=self.zero_bin,
            correlations=CorrelationTable(**dict(self.correlations)),
            schema_version=self.schema_version,
            about=self.about,
            novelty=None if self.novelty is None else self.novelty.built(),
        )


def loads(text: str) -> Baseline:
    """Read a baseline; BaselineError says what is wrong and what to do."""
    content = _parsed(text)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION or isinstance(version, bool | float):
        raise BaselineError(
            f"the baseline has schema version {display(version)}, this Driftgauge reads {SCHEMA_VERSION}: "
            "build it again with `driftgauge baseline build` or `driftgauge bundle create`"
        )
    stated = content.pop("hash", None)
    try:
        baseline = _BaselineText.model_validate(content).built()
    except ValidationError as error:
        raise BaselineError(f"the baseline is malformed ({explain(error)}): build it again") from error
    if stated != baseline.hash:
        raise BaselineError("the baseline's content does not match its hash: it was edited or damaged; build it again")
    return baseline


def _parsed(text: str) -> Any:
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise BaselineError("the baseline has too many lists and objects: build it again")
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise BaselineError("the baseline's lists and objects are nested too deeply: build it again") from error
    except ValueError as error:
        raise BaselineError(
            f"the baseline is not complete JSON ({error}); it may be truncated: build or copy it again"
        ) from error


def _each_once(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(name for index, (name, _) in enumerate(pairs) if name in dict(pairs[:index]))
        raise BaselineError(f"the baseline names {display(twice)} twice: it was edited or damaged; build it again")
    return content


def _require_unique(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        _require(name not in seen, f"two columns are named {display(name)}")
        seen.add(name)
