"""Constraints that a baseline suggests, as SageMaker's baseline job suggests them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from driftgauge.checks.sagemaker.constraints import (
    COMPARISON_THRESHOLD,
    Constraints,
    DistributionConstraints,
    FeatureConstraints,
    MonitoringConfig,
    NumberConstraints,
    TextConstraints,
)
from driftgauge.checks.sagemaker.statistics import InferredType
from driftgauge.drift.bins import MISSING, OTHER, UNSEEN
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline

CONFIG: Final = MonitoringConfig(
    evaluate_constraints="Enabled",
    emit_metrics="Enabled",
    datatype_check_threshold=1.0,
    domain_content_threshold=1.0,
    distribution_constraints=DistributionConstraints(
        perform_comparison="Enabled",
        comparison_threshold=COMPARISON_THRESHOLD,
        comparison_method="Robust",
        categorical_comparison_threshold=COMPARISON_THRESHOLD,
        categorical_drift_method="LInfinity",
    ),
)
"""What SageMaker's own baseline job writes."""


def suggested(baseline: Baseline) -> Constraints:
    """Return the constraints that the rows of the reference meet."""
    return Constraints(features=tuple(map(_of_column, baseline.columns)), monitoring_config=CONFIG)


def inferred_type(column: ColumnBaseline) -> InferredType:
    """Return the type that SageMaker would infer; `Integral` if its values are whole numbers."""
    if column.kind != "numeric" or column.of_text:
        return "String"
    if not column.quantiles:
        return "Unknown"
    exact = [column.min, column.max, *(column.bins.edges if column.bins.rule == "value" else ())]
    is_whole = all(value.is_integer() for value in exact) and _are_whole(column.quantiles)
    return "Integral" if is_whole else "Fractional"


def _are_whole(quantiles: Sequence[float]) -> bool:
    """Return whether quantiles are whole but for those that are interpolated between two whole neighbours."""
    whole = np.array([value.is_integer() for value in quantiles])
    return bool(np.all(whole[1:] | whole[:-1]))


def _of_column(column: ColumnBaseline) -> FeatureConstraints:
    kind = inferred_type(column)
    is_text = kind == "String"
    missing = column.counts[column.bins.special[MISSING]]
    return FeatureConstraints(
        name=column.name,
        inferred_type=kind,
        completeness=(column.rows - missing) / column.rows,
        num_constraints=None if is_text else NumberConstraints(is_non_negative=column.min >= 0.0),
        string_constraints=_of_text(column) if is_text else None,
    )


def _of_text(column: ColumnBaseline) -> TextConstraints:
    """Return the values of a column of text as its domain, if all of them are known."""
    bins = column.bins
    if column.of_text:
        return TextConstraints()
    others = column.counts[bins.special[OTHER]] + column.counts[bins.special[UNSEEN]]
    is_whole = bins.categories and bins.tail_complete and not bins.tail and others < 1.0
    return TextConstraints(domains=bins.categories if is_whole else None)
