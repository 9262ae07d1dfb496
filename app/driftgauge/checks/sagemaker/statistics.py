"""`statistics.json`: what SageMaker's model monitor computes of each column of a table."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from driftgauge.checks.sagemaker.documents import Document, Number

InferredType = Literal["Integral", "Fractional", "String", "Unknown"]
_SLACK: Final = 1e-6
"""Rounding error that is allowed for a mean between its column's ends, relative to them."""
_Count = Annotated[int, Field(ge=0, le=1 << 53)]


class Common(Document):
    """How many cells of a column hold a value."""

    num_present: _Count
    num_missing: _Count


class NumberBucket(Document):
    """The rows between two bounds: the lower one included, the upper one only in the last bucket."""

    lower_bound: float
    upper_bound: float
    count: Annotated[float, Field(ge=0.0)]


class SketchParameters(Document):
    """How a KLL sketch was made."""

    c: float
    """By what part a level holds less than the level above it."""
    k: float
    """Values that the highest level holds."""


class SketchContent(Document):
    """The values that a KLL sketch keeps."""

    parameters: SketchParameters | None = None
    data: tuple[tuple[float, ...], ...] = ()
    """The values of each level; one of level i stands for 2^i rows."""


class KllDistribution(Document):
    """A distribution as equal buckets, and as the sketch behind them."""

    buckets: tuple[NumberBucket, ...] = ()
    sketch: SketchContent | None = None


class NumberDistribution(Document):
    """The distribution of a column of numbers."""

    kll: KllDistribution = KllDistribution()


class NumberStatistics(Document):
    """The statistics of a column of numbers."""

    common: Common
    mean: Number = None
    sum: Number = None
    std_dev: Number = None
    min: Number = None
    max: Number = None
    distribution: NumberDistribution = NumberDistribution()

    @model_validator(mode="after")
    def _is_possible(self) -> NumberStatistics:
        if self.std_dev is not None and self.std_dev < 0.0:
            raise ValueError("std_dev is negative")
        if self.min is None or self.max is None:
            return self
        if self.min > self.max:
            raise ValueError("min lies above max")
        slack = _SLACK * max(abs(self.min), abs(self.max))
        if self.mean is not None and not self.min - slack <= self.mean <= self.max + slack:
            raise ValueError("the mean does not lie between min and max")
        return self


class TextBucket(Document):
    """A value of a column of text, and its rows."""

    value: str
    count: _Count


class Categories(Document):
    """The values of a column of text."""

    buckets: tuple[TextBucket, ...] = ()


class TextDistribution(Document):
    """The distribution of a column of text."""

    categorical: Categories = Categories()


class TextStatistics(Document):
    """The statistics of a column of text."""

    common: Common
    distinct_count: Annotated[float, Field(ge=0.0)] = 0.0
    distribution: TextDistribution = TextDistribution()


class FeatureStatistics(Document):
    """The statistics of a column."""

    name: str
    inferred_type: InferredType = "Unknown"
    numerical_statistics: NumberStatistics | None = None
    string_statistics: TextStatistics | None = None

    @property
    def common(self) -> Common:
        """How many of its cells hold a value; none of no cells where the file does not say."""
        own = self.numerical_statistics or self.string_statistics
        return Common(num_present=0, num_missing=0) if own is None else own.common


class Dataset(Document):
    """The statistics of the whole table."""

    item_count: _Count


class Statistics(Document):
    """The content of `statistics.json`."""

    version: float = 0.0
    dataset: Dataset
    features: tuple[FeatureStatistics, ...]

    @model_validator(mode="after")
    def _is_possible(self) -> Statistics:
        names = [feature.name for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f"two features are named {twice[0]!r}")
        return self
