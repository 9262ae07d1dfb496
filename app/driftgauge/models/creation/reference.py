"""The reference table of a model, read as the model was fitted on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from driftgauge.common.quoting import listed
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.drift.reference.baseline import Baseline, measuring_length
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.errors import BundleError, ColumnError
from driftgauge.models.bundle import BundleInfo, Feature
from driftgauge.models.creation.baseline import (
    BaselineOptions,
    baseline_with,
    not_features,
    ordered,
    stated_text,
    telling_outliers,
)
from driftgauge.models.creation.column_types import TableSource, feature_cells, with_column_type
from driftgauge.models.creation.estimator import class_names, encoded_texts, features_of
from driftgauge.models.creation.feature_names import FeatureNames, names_of, trained_names
from driftgauge.models.creation.foreign import ForeignModel
from driftgauge.models.creation.learned_columns import (
    NOTHING_LEARNED,
    LearnedColumn,
    learned_columns,
    takes_only_texts,
)
from driftgauge.tables.cells import as_numbers, text_lengths
from driftgauge.tables.stream import require_columns
from driftgauge.tables.table import categories, is_csv, read_table


@dataclass(frozen=True)
class Reference:
    """The table that a model was fitted on."""

    table: pa.Table
    source: Any
    """The file, DataFrame, Arrow table or dict that the table was read from."""
    target: str
    model: Any
    options: BaselineOptions
    codes: Mapping[str, Mapping[str, float]]
    """The author's own number for each category, by column."""

    @classmethod
    def read(
        cls, source: Any, target: str, model: Any, options: BaselineOptions, codes: Mapping[str, Mapping[str, float]]
    ) -> Reference:
        """Read the table in the order of its times; TableError if it lacks the target."""
        stated = dict.fromkeys([*stated_text(options), *codes], ())
        texts = {**stated, **_learned_texts(model), target: class_names(model)}
        table = ordered(read_table(source, texts), options)
        require_columns(table.column_names, [target], "the reference")
        return cls(table, source, target, model, options, codes)

    def feature_names(self, stated: Sequence[str]) -> FeatureNames:
        """Find which columns are features; BundleError if one of them is to be ignored."""
        left_out = not_features(self.options, self.table, self.target)
        names = names_of(self.model, self.table.column_names, left_out, stated)
        ignored = [name for name in self.options.ignore if name in names.names]
        if ignored:
            raise BundleError(
                f"{listed(ignored)} cannot be ignored, because the model takes it ({names.source}): leave "
                "out --ignore, or fit the estimator without it"
            )
        return names

    def features(self, names: FeatureNames) -> tuple[Feature, ...]:
        """Describe each feature as its column was in training."""
        if isinstance(self.model, ForeignModel):
            return self._foreign_features(self.model, names.names)
        features = features_of(self.model, self.table, names.names, self.options.kinds, self.codes)
        learned = learned_columns(self.model, [feature.name for feature in features])
        if takes_only_texts(self.model) and len(features) == 1:
            learned = {features[0].name: LearnedColumn(is_text=True)}
        source, encoded = TableSource.of(self.source, self.table), encoded_texts(self.model)
        return tuple(
            feature
            if feature.name in self.codes
            else with_column_type(feature, source, self._as_stated(feature, learned), encoded)
            for feature in features
        )

    def _foreign_features(self, model: ForeignModel, names: Sequence[str]) -> tuple[Feature, ...]:
        """Describe the features of a model that says itself what it takes; what the user states wins."""
        own = model.codes(names)
        codes, kinds = {**own, **self.codes}, {**model.kinds(names), **self.options.kinds}
        features = features_of(model, self.table, names, kinds, codes)
        source, encoded = TableSource.of(self.source, self.table), encoded_texts(model.model)
        learned = learned_columns(model.model, names)  # of an estimator in the operator's own code
        typed = tuple(
            feature
            if feature.name in self.codes
            else model.with_code(feature)
            if feature.name in own
            else model.with_dtype(with_column_type(feature, source, self._as_stated(feature, learned), encoded))
            for feature in features
        )
        model.refuse_texts(typed)
        return typed

    def columns(self, features: Sequence[Feature]) -> Table:
        """Return what is monitored of each feature."""
        return {
            feature.name: observed_column(self.table, feature, as_written=is_csv(self.source)) for feature in features
        }

    def baseline(self, features: Sequence[Feature], columns: Table) -> Baseline:
        """Build the baseline of the features."""
        texts = [feature.name for feature in features if feature.kind == "text"]
        built = measuring_length(baseline_with(columns, self.options, self.table), texts)
        return telling_outliers(built, columns, self.options, self.table)

    def truth(self, info: BundleInfo) -> FloatArray | Categories:
        """Return the target's column; BundleError if a regression's holds no numbers."""
        if info.task != "regression":
            return categories(self.table, self.target, [category_name(label) or "" for label in info.classes])
        try:
            return as_numbers(self.table[self.target], self.target)
        except ColumnError as error:
            raise BundleError(f"{error}: the model is a regressor, so its target must be numbers") from error

    def evaluation(self, source: Any, features: Sequence[Feature]) -> pa.Table:
        """Read the evaluation table, by default the reference; BundleError if it has no rows."""
        known = {feature.name: feature.categories for feature in features if feature.kind != "numeric"}
        texts = {**known, self.target: class_names(self.model)}
        table = self.table if source is None else ordered(read_table(source, texts), self.options)
        require_columns(
            table.column_names, [self.target, *(feature.name for feature in features)], "the evaluation table"
        )
        if not table.num_rows:
            raise BundleError("the evaluation table has no rows")
        return table

    def _as_stated(self, feature: Feature, learned: Mapping[str, LearnedColumn]) -> LearnedColumn:
        """Return what the model learned of a column; a kind that the user states wins."""
        column = learned.get(feature.name, NOTHING_LEARNED)
        return replace(column, is_text=feature.kind == "text") if feature.name in self.options.kinds else column


def observed_column(table: pa.Table, feature: Feature, *, as_written: bool) -> FloatArray | Categories:
    """Return the values of a feature that are monitored: the length of a free text."""
    if feature.kind == "text":
        return text_lengths(table[feature.name], feature.name)
    return feature_cells(table, feature, as_written=as_written)


def _learned_texts(model: Any) -> dict[str, tuple[str, ...]]:
    """Return the columns that the model takes as text, with the categories that it knows."""
    if isinstance(model, ForeignModel):
        return model.texts()
    columns = learned_columns(model, trained_names(model))
    return {name: learned.texts for name, learned in columns.items() if learned.has_texts or learned.is_text}
